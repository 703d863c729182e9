import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { TlsnapError } from '../errors.js';
import { BPF_OBJECT, isNativeError, loadAddon, type NativeRecorder, type RecordedSlots } from './addon.js';
import { readClocks } from './clocks.js';
import type { Scope } from './scope.js';
import { namedCounters, type Counters, type RecorderSize } from './session.js';

/** What a flight recorder says of itself: kept in a map beside its pins, because a BPF file system holds no files. */
export interface RecorderFacts extends RecorderSize {
  readonly toolVersion: string;
  /** SHA-256 of the BPF object: records of another one may be laid out otherwise. */
  readonly build: string;
  /** When everything was attached. */
  readonly clocks: ReturnType<typeof readClocks>;
  readonly tier: string;
  readonly missing: readonly string[];
  readonly programs: readonly { readonly name: string; readonly id: number; readonly tag: string }[];
  /** Path of the cgroup that is watched, below the cgroup2 root. */
  readonly cgroup: string;
  readonly scope: Scope;
  readonly mapEntries: number;
}

/** All that a recorder holds, read at one time while it goes on. */
export interface RecorderReading {
  readonly facts: RecorderFacts;
  /** When it was read. */
  readonly clocks: ReturnType<typeof readClocks>;
  readonly counters: Counters;
  readonly slots: RecordedSlots;
  /** Records of processes and exits. */
  readonly processes: Buffer;
  /** See NativeSession.fingerprints. */
  readonly fingerprints: Buffer;
  /** Programs that are not on their hooks any more: what they would have seen is in no sum. */
  readonly detached: readonly string[];
}

export interface RecorderFill {
  readonly facts: RecorderFacts;
  readonly counters: Counters;
  readonly slots: RecordedSlots;
  readonly entries: { readonly fingerprints: number; readonly processes: number };
  /** See RecorderReading.detached. */
  readonly detached: readonly string[];
}

/**
 * Reads all of a recorder.
 *
 * @throws TlsnapError where the pins are of another version, or none of a recorder
 */
export function readRecorder(directory: string): RecorderReading {
  return reading(directory, (recorder, facts) => {
    const clocks = readClocks();
    // What is recorded between these two is in the slots and not in the sum, never the other way.
    const before = namedCounters(recorder.counters());
    const slots = recorder.slots();
    const { OVERWRITTEN } = namedCounters(recorder.counters());
    const [processes, fingerprints] = [recorder.processes(), recorder.fingerprints()];
    const detached = detachedPrograms(recorder, facts);
    return { facts, clocks, counters: { ...before, OVERWRITTEN }, slots, processes, fingerprints, detached };
  });
}

/** How full a recorder is. */
export function readRecorderFill(directory: string): RecorderFill {
  return reading(directory, (recorder, facts) => ({
    facts,
    counters: namedCounters(recorder.counters()),
    slots: recorder.slots(),
    entries: recorder.entries(),
    detached: detachedPrograms(recorder, facts),
  }));
}

/** Which programs this build loads. */
export function buildDigest(): string {
  return createHash('sha256').update(readFileSync(BPF_OBJECT)).digest('hex');
}

function detachedPrograms(recorder: NativeRecorder, { programs }: RecorderFacts): string[] {
  return programs.map(({ name }) => name).filter((name) => !recorder.isAttached(name));
}

function reading<T>(directory: string, read: (recorder: NativeRecorder, facts: RecorderFacts) => T): T {
  try {
    const recorder = new (loadAddon().Recorder)(directory);
    return read(recorder, checkFacts(directory, recorder.facts()));
  } catch (error) {
    throw isNativeError(error) ? readError(directory, error) : error;
  }
}

function checkFacts(directory: string, text: string): RecorderFacts {
  let facts: Partial<RecorderFacts> | null;
  try {
    facts = JSON.parse(text) as Partial<RecorderFacts> | null;
  } catch {
    facts = null;
  }
  if (facts?.build === buildDigest()) return facts as RecorderFacts;
  const version = typeof facts?.toolVersion === 'string' ? `tlsnap ${facts.toolVersion}` : 'something else';
  throw new TlsnapError('input', directory, `was pinned by another build, ${version}, and this one cannot read it`, [
    'Dump it with the build that started it, or end it with: tlsnap record stop',
  ]);
}

function readError(directory: string, error: Error & { code: string }): unknown {
  if (error.code === 'ENOENT') {
    return new TlsnapError('input', directory, `holds only a part of a recorder: ${error.message}`, [
      'Its start was broken off, or a pin was removed. Remove the rest with: tlsnap record stop',
    ]);
  }
  if (error.code === 'EPERM' || error.code === 'EACCES') {
    return new TlsnapError('permission', directory, `may not be read: ${error.message}`, [
      'Run it as the user who started the recorder, with CAP_BPF.',
    ]);
  }
  return new TlsnapError('input', directory, `cannot be read: ${error.message}`, [
    'Remove it with: tlsnap record stop',
  ]);
}
