import { clockStepNs } from '../host/clocks.js';
import { HOST_ROOTS } from '../host/host-facts.js';
import { loadingEnvironment } from '../host/own-view.js';
import { HostReader } from '../host/reader.js';
import { bpfObjects } from '../native/inventory.js';
import type { RecorderReading } from '../native/recorder.js';
import { withOwners } from '../procfs/bpf-holders.js';
import { checkRecipients, encryptedName, type Recipients } from '../snapshot/encryption.js';
import { createOutput } from '../snapshot/output.js';
import type { Manifest } from '../snapshot/schema/manifest.js';
import type { Signer } from '../snapshot/signer.js';
import { Carver, type CarveMode } from './carver.js';
import { findCgroup, relatedCgroups } from './cgroup2.js';
import { composeMatched, openMatcher, type Captured } from './compose-matched.js';
import { HostNotes } from './host-notes.js';
import type { Note } from './notes.js';
import { appendFingerprints, appendNote, appendRecords } from './pieces.js';
import { ProcessWatcher, unreadProcesses } from './process-watcher.js';
import { Redactor } from './redaction.js';
import { removeSpool } from './spool.js';
import { SpoolWriter } from './spool-writer.js';
import { spoolFor } from './spool-place.js';
import { withRecovery } from './with-recovery.js';

export interface DumpOptions {
  /** See WriterOptions.output. */
  readonly output: string;
  readonly signer: Signer;
  readonly encryptTo: Recipients;
  readonly feeds: readonly string[];
  readonly carve: CarveMode;
  readonly environ: boolean;
  readonly redact: readonly string[];
  readonly case: Manifest['case'];
  readonly toolVersion: string;
}

/**
 * Makes a snapshot of what a recorder held when it was read: the spool of a capture is written, with what /proc says of the
 * processes that are still there, and composed as any other is.
 */
export async function dump(reading: RecorderReading, options: DumpOptions): Promise<Captured> {
  await checkRecipients(options.encryptTo);
  new Redactor(options.redact);
  createOutput(encryptedName(options.output, options.encryptTo));
  const matcher = await openMatcher(options.feeds);
  const spool = spoolFor(options.output);
  const carver = new Carver(options.carve);
  try {
    await spoolReading(spool, reading, options, carver);
    return await composeMatched(options, spool, matcher, carver).catch((error: unknown) => {
      throw withRecovery(error, spool);
    });
  } finally {
    await carver.close();
  }
}

async function spoolReading(
  directory: string,
  reading: RecorderReading,
  options: DumpOptions,
  carver: Carver,
): Promise<void> {
  const reader = new HostReader();
  const spool = new SpoolWriter(directory);
  try {
    await writeSpool(spool, reader, reading, options, carver);
    spool.close();
  } catch (error) {
    // All of it is still in the recorder.
    removeSpool(directory);
    throw error;
  } finally {
    reader.close();
  }
}

async function writeSpool(
  spool: SpoolWriter,
  reader: HostReader,
  reading: RecorderReading,
  options: DumpOptions,
  carver: Carver,
): Promise<void> {
  const { facts, clocks, counters, slots, processes, fingerprints, detached } = reading;
  const note = (one: Note): void => appendNote(spool, one);
  const { mount } = findCgroup(undefined);
  const notes = new HostNotes(reader, { mount, cgroup: facts.cgroup, scope: facts.scope }, note);
  const self = { pid: process.pid, environment: loadingEnvironment(process.env) };
  const host = await reader.host({ roots: HOST_ROOTS, self });
  const ours = new Set(facts.programs.map(({ id }) => id));
  const after = bpfObjects(ours, relatedCgroups({ mount, path: facts.cgroup }));
  note({
    note: 'start',
    spoolVersion: 1,
    source: 'recorder',
    toolVersion: options.toolVersion,
    case: options.case,
    host: { ...host, bpf: { before: null, after } },
    asked: null,
    clocks: facts.clocks,
    tier: facts.tier,
    features: facts.programs.map(({ name }) => name),
    missing: [...facts.missing],
    cgroup: facts.cgroup,
    scope: facts.scope,
    encryptTo: options.encryptTo,
    redact: options.redact,
  });
  notes.act('recorder-read', 'slots', `${slots.used} of ${facts.slots}, ${slots.taken} taken since it runs`);
  notes.act('host-read', '/proc /sys /etc', 'what host.json holds');
  const watcher = new ProcessWatcher(reader, options.environ ? 'all' : 'none', {
    onRow: (row) => {
      notes.process(row);
      carver.see(row);
    },
    onExit: (pid, startTimeNs) => notes.exited(pid, startTimeNs),
  });
  appendRecords(spool, processes);
  appendRecords(spool, slots.records);
  appendFingerprints(spool, fingerprints);
  watcher.take(processes);
  notes.cgroups();
  const [settled, holders] = await Promise.all([watcher.settle(SETTLE_MS), notes.sockets('end')]);
  for (const text of unreadProcesses(settled, watcher)) note({ note: 'limit', text });
  if (detached.length > 0) note({ note: 'detached', programs: detached });
  const gone = counters.RECORDED - watcher.seen;
  if (gone > 0)
    note({ note: 'limit', text: `What the kernel knew of ${gone} processes was overwritten by newer ones.` });
  note({ note: 'counters', counters });
  const clockStep = clockStepNs(facts.clocks, clocks);
  const bpf = { before: null, after: withOwners(after, holders) };
  note({ note: 'host', host: { ...host, bpf, clockStepNs: clockStep, hiddenProcesses: notes.hidden() } });
  note({ note: 'end', endedBy: 'dump', clocks });
}

const SETTLE_MS = 10_000;
