import { createHash } from 'node:crypto';
import { mkdtemp } from 'node:fs/promises';
import { join } from 'node:path';
import type { Process } from '../../src/snapshot/schema/process.js';
import { oneTimeSigner } from '../../src/snapshot/signer.js';
import type { HandshakeRow } from '../../src/snapshot/timeline-file.js';
import { SnapshotWriter, type WrittenSnapshot } from '../../src/snapshot/writer.js';
import { factsOf, handshakeAt, HOST, PROCESS, SOCKET } from '../snapshot/sample.js';

/** Names as an attacker would choose them: against HTML, scripts, spreadsheets, terminals and readers. */
export const HOSTILE_NAMES = [
  '</script><script>globalThis.canary=1</script>',
  '<img src=x onerror="globalThis.canary=2">',
  "=cmd|' /C calc'!A0",
  '+1+1',
  '-2+3',
  '@SUM(1+1)',
  "'=already quoted",
  '\tleading tab',
  '\u0000NUL',
  '\u001b[31mred\u001b[0m',
  'exe\u202etxt.live',
  '<!--<script>',
  ']]><svg/onload=globalThis.canary=3>',
  '"quoted", with comma',
  'two\nlines\r\nand three',
  'lone\rreturn',
  '{{constructor.constructor("globalThis.canary=4")()}}',
  '\u2028line separator',
  'javascript:globalThis.canary=5',
  '',
  ' ',
  'ünïcødé 漢字 🦊',
] as const;

/** One process and one connection for each name, under a shell; every name is also a server's name and an argument. */
export async function writeHostileSnapshot(
  folder: string,
  options: { names?: readonly string[]; handshakes?: number } = {},
): Promise<WrittenSnapshot> {
  const { names = HOSTILE_NAMES, handshakes = names.length * 2 } = options;
  const output = join(folder, 'hostile.tlsnap.tar.gz');
  const writer = SnapshotWriter.create({ output, staging: await mkdtemp(join(folder, 'staging-')) });
  for (let at = 0; at < handshakes; at += 1) {
    const name = names[at % names.length] ?? '';
    writer.handshakes.add(BigInt(at), hostileHandshake(name, 5000 + (at % names.length), at));
  }
  names.forEach((name, at) => {
    writer.processes.add(hostileProcess(name, 5000 + at));
    writer.sockets.add({ ...SOCKET, owners: [{ pid: 5000 + at, startTimeNs: null, comm: name, exe: `/opt/${name}` }] });
  });
  writer.host(HOST);
  const facts = factsOf(handshakes);
  const subject = { case: names[0] ?? '', evidence: null, examiner: names[1] ?? '', description: names[10] ?? null };
  const host = facts.host && { ...facts.host, hostname: `web1 ${names[0] ?? ''}` };
  try {
    return await writer.finish({ ...facts, case: subject, host }, oneTimeSigner());
  } finally {
    writer.close();
  }
}

export function hostileHandshake(name: string, pid: number, at: number): HandshakeRow {
  const row = handshakeAt(BigInt(at));
  const { process, tls } = row;
  if (!process || !tls) throw new Error('the sample has both');
  const second = String(8 + (Math.floor(at / 3) % 50)).padStart(2, '0');
  return {
    ...row,
    time: `2026-11-22T09:20:${second}.${String(at).padStart(9, '0')}Z`,
    flow: { ...row.flow, src: '192.0.2.7', dst: '198.51.100.7', srcPort: 1024 + (at % 60_000), cookie: String(at) },
    process: { ...process, pid, tid: pid, startTimeNs: String(pid), comm: name, exe: name, cgroup: name },
    tls: { ...tls, serverName: name, alpn: [name] },
    error: name === '' ? null : name,
  };
}

function hostileProcess(name: string, pid: number): Process {
  return {
    ...PROCESS,
    pid,
    startTimeNs: String(pid),
    ppid: 700,
    comm: name,
    exe: name,
    exeSha256: createHash('sha256').update(name).digest('hex'),
    exeHashedFrom: 'process',
    cmdline: [name, `--${name}`],
    cwd: name,
    parents: [
      { pid: 700, startTimeNs: '700', comm: `sh ${name}`, exe: '/bin/sh' },
      { pid: 1, startTimeNs: '1', comm: 'systemd', exe: '/usr/lib/systemd/systemd' },
    ],
  };
}
