import { mkdtemp } from 'node:fs/promises';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Connection } from '../../scripts/fixtures/tshark-hellos.js';
import type { Host } from '../../src/snapshot/schema/host.js';
import type { SnapshotFacts } from '../../src/snapshot/schema/manifest.js';
import type { Process } from '../../src/snapshot/schema/process.js';
import type { Socket } from '../../src/snapshot/schema/socket.js';
import { oneTimeSigner } from '../../src/snapshot/signer.js';
import type { HandshakeRow } from '../../src/snapshot/timeline-file.js';
import { SnapshotWriter } from '../../src/snapshot/writer.js';
import { Conversation } from '../../src/tls/conversation.js';
import { describeHello } from '../../src/tls/describe.js';
import { factsOf, handshakeAt, HOST, PROCESS, timeAt } from '../snapshot/sample.js';

/** Rows of a snapshot made by hand; what is not given is as in the sample. */
export interface MadeRows {
  readonly handshakes?: readonly HandshakeRow[];
  readonly processes?: readonly Partial<Process>[];
  readonly sockets?: readonly Socket[];
  readonly host?: Partial<Host>;
  readonly facts?: Partial<SnapshotFacts>;
}

/** Writes a snapshot and gives its path. Handshakes keep their order, whatever their times say. */
export async function makeSnapshot(folder: string, name: string, rows: MadeRows): Promise<string> {
  const { handshakes = [], processes = [], sockets = [], host = {}, facts = {} } = rows;
  const output = join(folder, `${name}.tlsnap.tar.gz`);
  const writer = SnapshotWriter.create({ output, staging: await mkdtemp(join(folder, 'staging-')) });
  for (const [at, row] of handshakes.entries()) writer.handshakes.add(BigInt(at), row);
  for (const row of processes) writer.processes.add({ ...PROCESS, ...row });
  for (const row of sockets) writer.sockets.add(row);
  if (facts.host !== null) writer.host({ ...HOST, ...host });
  await writer.finish({ ...factsOf(handshakes.length), ...facts }, oneTimeSigner());
  writer.close();
  return output;
}

/** An import: it has no host, and its hellos have no process. */
export const IMPORTED: Partial<SnapshotFacts> = { source: 'pcap', host: null, clocks: null };

export interface MadeHello {
  /** Nanoseconds after the sample's start. */
  readonly at?: bigint;
  /** The whole handshake message. */
  readonly message?: Uint8Array;
  readonly process?: Partial<NonNullable<HandshakeRow['process']>>;
  readonly flow?: Partial<HandshakeRow['flow']>;
  readonly role?: HandshakeRow['role'];
  readonly kernel?: HandshakeRow['kernel'];
}

/** A row of the timeline for a ClientHello. */
export function madeHello({ at = 0n, message, process = {}, flow = {}, role = 'client', kernel = null }: MadeHello) {
  const row = handshakeAt(at);
  if (!row.process) throw new Error('the sample has a process');
  const raw = message ?? Buffer.from(row.hello.raw, 'base64');
  const { tls, fingerprints } = describeHello(raw, { kind: 'client', transport: 'tcp', sslv2: false });
  return {
    ...row,
    time: timeAt(at),
    role,
    flow: { ...row.flow, ...flow },
    process: { ...row.process, ...process },
    hello: { ...row.hello, raw: Buffer.from(raw).toString('base64') },
    tls,
    fingerprints,
    kernel,
  } satisfies HandshakeRow;
}

/** A first ClientHello of a real client, with the JA3 that tshark read in the same capture. */
export interface RealHello {
  readonly name: string;
  /** What the client says of itself and of its TLS library. */
  readonly client: string;
  readonly message: Uint8Array;
  readonly ja3: string;
}

/** Those over TCP, from fixtures/hellos. */
export function realHellos(): RealHello[] {
  const lines = readFileSync(new URL('../../fixtures/hellos/hellos.ndjson', import.meta.url), 'utf8')
    .trim()
    .split('\n');
  return lines
    .map((line) => JSON.parse(line) as Connection)
    .filter(({ transport }) => transport === 'tcp')
    .map(({ name, client, segments, hellos }) => {
      const conversation = new Conversation();
      const found = segments.flatMap(([side, offset, payload]) =>
        conversation.push(side, offset ?? 0, Buffer.from(payload, 'hex')),
      );
      const first = [...found, ...conversation.end()].find(({ kind }) => kind === 'client');
      const ja3 = hellos.find(({ kind }) => kind === 'client')?.ja3;
      if (!first || !ja3) throw new Error(`${name}: no ClientHello`);
      return { name, client, message: Uint8Array.from(first.raw), ja3 };
    });
}

export function realHello(name: string, index = 0): RealHello {
  const hello = realHellos().filter((one) => one.name === name)[index];
  if (!hello) throw new Error(`fixtures/hellos has no ${name}`);
  return hello;
}
