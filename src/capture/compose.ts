import { TlsnapError } from '../errors.js';
import { summaryOf } from '../host/host-facts.js';
import type { KernelRecord } from '../native/records.js';
import { formatEndpoint } from '../snapshot/address-text.js';
import { formatTimeNs } from '../snapshot/time-text.js';
import { checkRecipients, encryptedName, type Recipients } from '../snapshot/encryption.js';
import type { Action } from '../snapshot/schema/action.js';
import type { Handshake } from '../snapshot/schema/handshake.js';
import type { SnapshotFacts } from '../snapshot/schema/manifest.js';
import type { Process } from '../snapshot/schema/process.js';
import type { Signer } from '../snapshot/signer.js';
import { SnapshotWriter, type WrittenSnapshot } from '../snapshot/writer.js';
import type { HandshakeRow } from '../snapshot/timeline-file.js';
import { FingerprintCache } from '../tls/fingerprint-cache.js';
import type { BlindSpots } from './blind-spots.js';
import { HelloAssembly, type AssembledHello } from './assembly.js';
import type { CarvedExecutable } from './carver.js';
import { coverageOf, type Tally } from './coverage.js';
import { gather, wholeRecords, type Gathered } from './gather.js';
import { disagreement, helloRow } from './hello-row.js';
import { Redactor } from './redaction.js';
import { FRAME, removeSpool } from './spool.js';
import { placeOf, SpoolReader } from './spool-reader.js';
import { makeStaging, removeStaging } from './staging.js';
import { WallClock } from './wall-clock.js';

export interface ComposeOptions {
  readonly spool: string;
  /** Where the members lie until they are packed: a folder that is made for that, and removed. By default in the spool. */
  readonly staging?: string | undefined;
  /** See WriterOptions.output. */
  readonly output: string;
  readonly signer: Signer;
  readonly encryptTo: Recipients;
  /** Whether the spool goes when the snapshot is whole. */
  readonly removesSpool: boolean;
  /** Told of each line of the timeline, in the order in which the hellos became whole. */
  readonly onHello?: (row: HandshakeRow) => void;
  readonly onProcess?: (row: Process) => void;
  /** Asked for the executables to copy when everything else is told. */
  readonly executables?: () => Promise<readonly CarvedExecutable[]>;
  /** Asked then how many could not be held until now. */
  readonly executablesMissed?: () => number;
}

export interface Composed {
  readonly snapshot: WrittenSnapshot;
  readonly handshakes: number;
  readonly processes: number;
  readonly blindSpots: BlindSpots;
}

/**
 * Makes the snapshot of a spool: the one way there is, for a capture that ended well and for one that was killed. Reads
 * the spool twice: first who and what was there, then the hellos, so that a hello can name a process told of later.
 */
export async function compose(options: ComposeOptions): Promise<Composed> {
  await checkRecipients(options.encryptTo);
  const staging = makeStaging(options);
  let writer: SnapshotWriter | undefined;
  try {
    writer = SnapshotWriter.create({ output: options.output, staging, encryptTo: options.encryptTo });
    const gathered = gather(options.spool, writer);
    const clock = clockOf(gathered);
    const tally = writeHellos(options, gathered, clock, writer);
    const redactor = new Redactor(gathered.start.redact);
    for (const told of gathered.table.rows((bootTimeNs) => clock.format(bootTimeNs))) {
      const row = redactor.row(told);
      writer.processes.add(row);
      options.onProcess?.(row);
    }
    for (const row of gathered.fingerprints.rows((bootTimeNs) => clock.format(bootTimeNs)))
      writer.fingerprints.add(row);
    writer.host(gathered.host);
    let changed = 0;
    for (const executable of (await options.executables?.()) ?? []) {
      const action = carve(executable, writer);
      if (action.action === CHANGED) changed++;
      writer.actions.add(action);
    }
    for (const action of lastActions(options)) writer.actions.add(action);
    const snapshot = await writer.finish(
      factsOf(
        withLimits(gathered, changed, options.executablesMissed?.() ?? 0),
        { ...tally, ...writer.tooLong },
        redactor.redacted,
      ),
      options.signer,
    );
    if (options.removesSpool) removeSpool(options.spool);
    const processes = writer.processes.rows;
    return { snapshot, handshakes: tally.rows, processes, blindSpots: gathered.blindSpots };
  } finally {
    writer?.close();
    removeStaging(staging);
  }
}

function writeHellos(options: ComposeOptions, gathered: Gathered, clock: WallClock, writer: SnapshotWriter): Tally {
  const cache = new FingerprintCache();
  const tally: Tally = { rows: 0, filtered: 0, truncated: 0, disagreements: 0, retired: 0, shortened: 0, leftOut: 0 };
  const assembly = new HelloAssembly((hello) => {
    // Of an accepted connection the owner shows with the answer: only then is it known whether it is in scope.
    if (gathered.start.scope.pid !== null && !hello.owner) {
      tally.filtered++;
      return;
    }
    const process = processOf(hello, gathered);
    const row = helloRow(hello, process, clock, cache);
    writer.handshakes.add(clock.timeNs(hello.bootTimeNs), row);
    tally.rows++;
    if (!row.hello.complete) tally.truncated++;
    gathered.blindSpots.hello(row);
    const dispute = disagreement(hello.ja3, row.fingerprints);
    if (dispute !== null) {
      tally.disagreements++;
      writer.actions.add(disputed(row, dispute));
    }
    gathered.fingerprints.hello(row, hello.bootTimeNs);
    options.onHello?.(row);
  });
  for (const { kind, payload } of new SpoolReader(options.spool).frames()) {
    if (kind !== FRAME.kernel) continue;
    // Counted when it was gathered.
    for (const record of wholeRecords(payload, () => undefined)) assemble(assembly, record);
  }
  // Before its end: there, nothing is missing that could still have come.
  tally.retired = assembly.retired;
  assembly.end();
  return tally;
}

function assemble(assembly: HelloAssembly, record: KernelRecord): void {
  if (record.type === 'chunk') assembly.chunk(record);
  else if (record.type === 'accepted') assembly.accepted(record);
}

function processOf(hello: AssembledHello, { table, owners }: Gathered): NonNullable<Handshake['process']> {
  const { owner, sender, accepted, bootTimeNs } = hello;
  if (!owner) return owners.member(hello.flow, table) ?? NOBODY;
  return table.member(owner, bootTimeNs, accepted ? 'accept' : owner.sent ? 'send' : 'connect', sender);
}

/** A recorder may have run since before the wall clock was set at boot: its times are by the clocks of the dump. */
function clockOf({ start, end }: Gathered): WallClock {
  return new WallClock(start.source === 'recorder' && end ? end.clocks : start.clocks);
}

function factsOf(gathered: Gathered, tally: Tally, redacted: number): SnapshotFacts {
  const { start, end, spool, host } = gathered;
  const clock = clockOf(gathered);
  const endTime = end ? BigInt(end.clocks.boottime) : gathered.lastBootTimeNs || BigInt(start.clocks.boottime);
  return {
    tool: { name: 'tlsnap', version: start.toolVersion },
    source: end ? start.source : 'recovered',
    case: start.case,
    host: summaryOf(host),
    window: {
      asked: start.asked,
      start: clock.format(BigInt(start.clocks.boottime)),
      end: clock.format(endTime),
      endedBy: end?.endedBy ?? 'killed',
    },
    clocks: end && { start: start.clocks, end: end.clocks },
    tier: start.tier,
    features: [...start.features],
    coverage: { ...coverageOf(gathered, tally), redacted },
    chain: { algorithm: 'sha256', head: spool.head, records: spool.records },
    recovered: end
      ? null
      : {
          recordsKept: spool.records,
          bytesKept: spool.bytes,
          bytesLost: spool.broken?.bytesLost ?? 0,
          brokeAt: spool.broken && placeOf(spool.broken),
          reason: spool.broken?.reason ?? 'the capture ended without writing its end',
        },
    input: null,
  };
}

const CHANGED = 'executable-changed';

function withLimits(gathered: Gathered, changed: number, missed: number): Gathered {
  const limits = [...gathered.limits];
  if (changed > 0) limits.push(`Executables that changed since they were hashed, and were not copied: ${changed}.`);
  if (missed > 0)
    limits.push(
      `Executables that were gone, or one too many, before they could be held, and were not copied: ${missed}.`,
    );
  return { ...gathered, limits };
}

/** Copies an executable. One that was written over since it was hashed costs no more than itself. */
function carve({ sha256, path, process: { pid, exe } }: CarvedExecutable, writer: SnapshotWriter): Action {
  const subject = exe ?? `pid ${pid}`;
  try {
    writer.executable(sha256, path);
    return act('executable-copied', subject, `pid ${pid} sha256 ${sha256}`);
  } catch (error) {
    if (!(error instanceof TlsnapError) || error.kind !== 'input') throw error;
    return act(CHANGED, subject, `pid ${pid}, not copied: ${error.detail}`);
  }
}

/** Our two implementations differ over a hello: a fact about the tool, which stands beside what it did. */
function disputed({ time, flow: { src, srcPort, dst, dstPort }, process }: HandshakeRow, detail: string): Action {
  const subject = `${formatEndpoint(src, srcPort)} -> ${formatEndpoint(dst, dstPort)}`;
  return { time, action: 'hello-disputed', subject, detail: `pid ${process?.pid ?? '?'}: ${detail}` };
}

/** What is still to be done when the actions are sealed. */
function lastActions({ output, encryptTo, spool, removesSpool }: ComposeOptions): Action[] {
  return [
    ...(output === '-' ? [] : [act('file-written', encryptedName(output, encryptTo), 'this snapshot')]),
    ...(removesSpool ? [act('file-removed', spool, 'the spool, as soon as this snapshot is whole')] : []),
  ];
}

function act(action: string, subject: string, detail: string): Action {
  return { time: formatTimeNs(BigInt(Date.now()) * 1_000_000n), action, subject, detail };
}

const NOBODY: NonNullable<Handshake['process']> = {
  pid: null,
  tid: null,
  startTimeNs: null,
  ppid: null,
  uid: null,
  gid: null,
  comm: null,
  threadComm: null,
  exe: null,
  cgroup: null,
  container: null,
  attribution: 'none',
  sender: null,
};
