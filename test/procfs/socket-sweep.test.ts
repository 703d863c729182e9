import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { createServer, connect, type AddressInfo } from 'node:net';
import test from 'ava';
import { Compile } from 'typebox/compile';
import { Procfs } from '../../src/procfs/procfs.js';
import { sweepSockets } from '../../src/procfs/socket-sweep.js';
import { Socket } from '../../src/snapshot/schema/socket.js';
import { reasonAgainstCommands, testUnless } from '../left-out.js';
import { buildProc } from './fixture-proc.js';
import { reasonAgainstProc, reasonAgainstRoot, start, temporaryFolder } from './live-process.js';

const schema = Compile(Socket);
const LIMITS = { maxSockets: 100_000, maxMs: 20_000 };

function sweep(procfs = new Procfs(), limits = LIMITS) {
  const rows: Socket[] = [];
  return { summary: sweepSockets(procfs, 'start', limits, (batch) => rows.push(...batch)), rows };
}

testUnless(
  reasonAgainstProc ?? reasonAgainstCommands('ss'),
  'a listener and both ends of a connection are found with their owner, as ss has them',
  async (t) => {
    const server = createServer().listen(0, '::ffff:127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const client = connect(port, '127.0.0.1');
    await once(client, 'connect');
    t.teardown(() => {
      client.destroy();
      server.close();
    });
    const { rows } = sweep();
    for (const row of rows) t.true(schema.Check(row));
    const ours = rows.filter(({ local, remote }) => local.port === port || remote?.port === port);
    t.deepEqual(ours.map(({ state }) => state).sort(), ['ESTABLISHED', 'ESTABLISHED', 'LISTEN']);
    for (const { owners, local } of ours) {
      t.like(owners[0], { pid: process.pid, exe: process.execPath });
      t.is(local.address, '127.0.0.1');
    }
    const listed = execFileSync('ss', ['-tanpe', `( sport = ${port} or dport = ${port} )`], { encoding: 'utf8' });
    const inodes = [...listed.matchAll(/ino:(\d+)/g)].map(([, inode]) => inode).sort();
    t.deepEqual(ours.map(({ inode }) => inode).sort(), inodes);
  },
);

testUnless(
  reasonAgainstRoot ?? reasonAgainstCommands('unshare', 'python3'),
  'sockets of other network namespaces are found, the same port in each',
  async (t) => {
    const script = `
import socket, sys
tcp = socket.socket(); tcp.bind(('0.0.0.0', 4433)); tcp.listen()
udp = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM); udp.bind(('::', 4433))
print('ready', flush=True); sys.stdin.read()`;
    const servers = [1, 2].map(() => start(t, 'unshare', ['--net', 'python3', '-c', script]));
    for (const server of servers) t.is(await server.line(), 'ready');
    const { rows, summary } = sweep();
    for (const { pid } of servers) {
      const netns = Number(/\d+/.exec(execFileSync('readlink', [`/proc/${pid}/ns/net`], { encoding: 'utf8' }))?.[0]);
      t.true(summary.netns.includes(netns));
      const own = rows.filter((row) => row.netns === netns);
      t.deepEqual(
        own.map(({ proto, family, state, local, owners }) => [
          proto,
          family,
          state,
          local.address,
          local.port,
          owners[0]?.pid,
        ]),
        [
          ['tcp', 4, 'LISTEN', '0.0.0.0', 4433, pid],
          ['udp', 6, 'CLOSE', '::', 4433, pid],
        ],
      );
    }
  },
);

test('bounds are kept, and that something was left out is said', (t) => {
  const root = temporaryFolder(t);
  const head = '  sl  local_address rem_address\n';
  const line = '   1: 0100007F:1F90 00000000:0000 0A 0:0 00:0 0  0        0 77 1\n';
  buildProc(
    root,
    [
      {
        pid: 3,
        files: { 'net/tcp': head + line.repeat(5000), 'net/udp': head },
        links: { 'ns/net': 'net:[9]', 'fd/3': 'socket:[77]' },
      },
    ],
    {
      'self/mountinfo': `22 27 0:21 / ${root} rw - proc proc rw,hidepid=2\n30 27 0:4 net:[10] /run/netns/x rw - nsfs nsfs rw\n`,
    },
  );
  const all = sweep(new Procfs(root));
  t.is(all.rows.length, 5000);
  t.like(all.rows[4999], { netns: 9, inode: '77', owners: [{ pid: 3, comm: 'x', exe: null }] });
  t.deepEqual(all.summary, {
    sockets: 5000,
    bpf: { programs: new Map(), links: new Map() },
    netns: [9],
    netnsWithoutProcess: [10],
    processes: 1,
    processesUnreadable: 0,
    hidepid: '2',
    truncated: false,
    ownersTruncated: 0,
    errors: [],
  });
  const some = sweep(new Procfs(root), { ...LIMITS, maxSockets: 10 });
  t.is(some.rows.length, 10);
  t.true(some.summary.truncated);
});

test('owners with long paths are cut by their bytes, and that is said', (t) => {
  const root = temporaryFolder(t);
  const exe = `/${'\x01'.repeat(250)}`.repeat(16);
  const holders = Array.from({ length: 300 }, (_, index) => ({
    pid: index + 1,
    links: { 'ns/net': 'net:[9]', 'fd/3': 'socket:[77]', ...(index === 0 && { 'fd/4': 'socket:[78]' }), exe },
  }));
  const line = (inode: number) => `   1: 0100007F:1F90 00000000:0000 0A 0:0 00:0 0  0        0 ${inode} 1\n`;
  const tables = { 'net/tcp': `head\n${line(77).repeat(20)}${line(78)}`, 'net/udp': 'head\n' };
  buildProc(
    root,
    holders.map((holder) => ({ ...holder, files: tables })),
  );
  const batches: Socket[][] = [];
  const summary = sweepSockets(new Procfs(root), 'start', LIMITS, (batch) => batches.push(batch));
  const [first, ...others] = batches.flat();
  const bytes = Buffer.byteLength(JSON.stringify(first));
  t.true(bytes > 400 * 1024 && bytes < 600 * 1024, `${bytes}`);
  t.is(first?.owners[0]?.pid, 1);
  t.is(others.at(-1)?.owners.length, 1);
  t.is(summary.ownersTruncated, 20);
  for (const batch of batches) t.true(Buffer.byteLength(JSON.stringify(batch)) < 6 * 1024 * 1024);
});

test('a table that cannot be read is named', (t) => {
  const root = temporaryFolder(t);
  buildProc(root, [{ pid: 3, links: { 'ns/net': 'net:[9]' } }]);
  const { summary } = sweep(new Procfs(root));
  t.deepEqual(
    summary.errors.map(({ table, code }) => [table, code]),
    [
      ['tcp', 'ENOENT'],
      ['udp', 'ENOENT'],
    ],
  );
});
