import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';
import { execa } from 'execa';
import type { Handshake } from '../../src/snapshot/schema/handshake.js';
import { type Actor, freePort, makeCertificate, type Stage, until } from './live.js';

// Networks of the tests' own, and programs that log what they said.

export interface Namespace {
  readonly name: string;
  /** A command line that starts a command in it. */
  readonly within: readonly string[];
}

/** A network namespace with its loopback up; gone when the test is over. */
export async function openNamespace(t: ExecutionContext): Promise<Namespace> {
  const name = `tlsnap-${process.pid}-${Math.random().toString(36).slice(2, 8)}`;
  await execa('ip', ['netns', 'add', name]);
  t.teardown(async () => {
    await execa('ip', ['netns', 'delete', name]);
  });
  await execa('ip', ['-n', name, 'link', 'set', 'lo', 'up']);
  return { name, within: ['ip', 'netns', 'exec', name] };
}

/** Two namespaces, 10.98.0.1 and fd98::1 here, .2 and ::2 there, and between them a veth pair of this MTU. */
export async function openVethPair(t: ExecutionContext, mtu: number): Promise<[Namespace, Namespace]> {
  const pair = [await openNamespace(t), await openNamespace(t)] as const;
  const [here, there] = pair;
  await execa('ip', ['-n', here.name, 'link', 'add', 'pair0', 'type', 'veth', 'peer', 'pair0', 'netns', there.name]);
  for (const [index, { name }] of pair.entries()) {
    // A veth hands over what the sender did not cut: no segmentation may be left to it.
    await execa('ip', ['-n', name, 'link', 'set', 'pair0', 'mtu', String(mtu), 'gso_max_segs', '1', 'up']);
    await execa('ip', ['-n', name, 'address', 'add', `10.98.0.${index + 1}/24`, 'dev', 'pair0']);
    if (mtu >= 1280) {
      await execa('ip', ['-n', name, '-6', 'address', 'add', `fd98::${index + 1}/64`, 'dev', 'pair0', 'nodad']);
    }
  }
  return [here, there];
}

export interface RoughLink {
  readonly mtu?: number;
  /** Probability that a packet is lost. */
  readonly loss?: number;
  /** Probability that a packet comes twice. */
  readonly double?: number;
  /** Each packet waits up to this long, and so overtakes others. */
  readonly delayMs?: number;
  /** Drops what the client sends between its SYN and its first data. */
  readonly thirdAck?: boolean;
}

export interface RoughLinkDone {
  readonly packets: number;
  readonly lost: number;
  readonly doubled: number;
  readonly overtaken: number;
  readonly thirdAcks: number;
}

/** Two namespaces, 10.99.0.1 and fd99::1 here, .2 and ::2 there, and between them a link that is rough at random. */
export async function openRoughLink(
  t: ExecutionContext,
  { mtu = 1400, loss = 0, double = 0, delayMs = 0, thirdAck = false }: RoughLink,
): Promise<{ here: Namespace; there: Namespace; close(): Promise<RoughLinkDone> }> {
  const [here, there] = [await openNamespace(t), await openNamespace(t)];
  const numbers = [mtu, loss, double, delayMs].map(String);
  const args = [join(ACTORS, 'rough_link.py'), here.name, there.name, ...numbers, ...(thirdAck ? ['third-ack'] : [])];
  const link = execa('python3', args, { timeout: 110_000, reject: false });
  t.teardown(async () => {
    link.kill('SIGKILL');
    await link;
  });
  let said = '';
  link.stdout.on('data', (chunk: Buffer) => (said += chunk.toString()));
  await until('the rough link is ready', 10_000, () => said.startsWith('ready\n'));
  return {
    here,
    there,
    close: async () => {
      link.kill('SIGTERM');
      const { stdout, stderr } = await link;
      if (stderr !== '') throw new Error(stderr);
      return JSON.parse(stdout.split('\n')[1] ?? '') as RoughLinkDone;
    },
  };
}

/** One connection as an end of it logged it. */
export interface Said {
  readonly pid: number;
  readonly serverName: string | null;
  /** Hellos in hex, as OpenSSL gave them out. */
  readonly sent: readonly string[];
}

export interface Ends {
  readonly server: Actor;
  readonly port: number;
  /** Runs the client to its end. */
  connect(serverName: string, ...options: string[]): Promise<void>;
  clientSaid(): Said[];
  serverSaid(): Said[];
}

export interface EndSettings {
  /** What the server is bound to. */
  readonly listen?: string;
  /** What the client connects to. */
  readonly host?: string;
  readonly port?: number;
  /** How both cut their hellos: see actors/cut_tls.py. */
  readonly cut?: string;
  readonly serverCut?: string;
  /** The only group that the server takes. */
  readonly curve?: string;
  readonly clientIn?: Namespace;
  readonly serverIn?: Namespace;
}

/** A server and a client that cut their hellos and log them. */
export async function startEnds(stage: Stage, settings: EndSettings = {}): Promise<Ends> {
  const { host = '127.0.0.1', listen = host, cut = 'whole', serverCut = cut, curve, clientIn, serverIn } = settings;
  const { keyFile, certFile } = await makeCertificate(stage.directory);
  const port = settings.port ?? (await freePort());
  const script = join(ACTORS, 'cut_tls.py');
  const id = Math.random().toString(36).slice(2, 8);
  const logs = [join(stage.directory, `client-${id}`), join(stage.directory, `server-${id}`)] as const;
  const serverArgs = [script, 'server', listen, String(port), logs[1], serverCut, certFile, keyFile];
  if (curve !== undefined) serverArgs.push(curve);
  const server = await stage.serve(port, 'python3', serverArgs, serverIn ? { within: serverIn.within } : {});
  return {
    server,
    port,
    connect: async (serverName, ...options) => {
      const args = [script, 'client', host, String(port), logs[0], cut, serverName, ...options];
      await stage.run('python3', args, { timeout: 70_000, ...(clientIn && { within: clientIn.within }) });
    },
    clientSaid: () => readLog(logs[0]),
    serverSaid: () => readLog(logs[1]),
  };
}

/** The hellos of these events in hex, sorted: to be compared with what was said. */
export function rawOf(events: readonly Handshake[], kind: Handshake['kind'], role: Handshake['role']): string[] {
  return events
    .filter((event) => event.kind === kind && event.role === role)
    .map(({ hello }) => Buffer.from(hello.raw, 'base64').toString('hex'))
    .sort();
}

/** Asserts that both ends' events are, byte for byte, what both ends said they sent, whole and with the right owners. */
export function assertAsSaid(t: ExecutionContext, events: readonly Handshake[], ends: Ends): void {
  const [clients, servers] = [ends.clientSaid(), ends.serverSaid()];
  const sent = (said: readonly Said[]) => said.flatMap((one) => one.sent).sort();
  for (const role of ['client', 'server'] as const) {
    t.deepEqual(rawOf(events, 'client', role).map(nameOf), sent(clients).map(nameOf), `ClientHellos at the ${role}`);
    t.deepEqual(rawOf(events, 'server', role).map(nameOf), sent(servers).map(nameOf), `ServerHellos at the ${role}`);
  }
  t.is(events.length, 2 * (sent(clients).length + sent(servers).length));
  const clientPids = new Set(clients.map(({ pid }) => pid));
  for (const { role, process, hello, error } of events) {
    t.true(hello.complete);
    t.is(error, null);
    if (role === 'client') t.true(clientPids.has(process?.pid ?? 0), `client owned by ${process?.pid}`);
    else t.is(process?.pid, ends.server.pid);
  }
}

/** Short enough to be read in a failure, and different for different bytes. */
function nameOf(hex: string): string {
  return `${hex.length / 2} bytes, ${hex.slice(12, 20)}, SHA-256 ${createHash('sha256').update(hex, 'hex').digest('hex').slice(0, 16)}`;
}

function readLog(file: string): Said[] {
  const lines = readFileSync(file, 'utf8').trimEnd().split('\n');
  return lines.map((line) => JSON.parse(line) as Said);
}

const ACTORS = join(import.meta.dirname, 'actors');
