import { TlsnapError } from '../errors.js';
import { readClocks } from '../native/clocks.js';
import {
  buildDigest,
  readRecorder,
  readRecorderFill,
  type RecorderFacts,
  type RecorderFill,
  type RecorderReading,
} from '../native/recorder.js';
import { Session, type RecorderSize } from '../native/session.js';
import type { Scope } from '../native/scope.js';
import type { WatchedCgroup } from './cgroup2.js';
import { assertNoPins, assertPins, hasPins, makePins, removePins } from './recorder-pins.js';
import { addSubtree, assertProcess } from './subtree.js';
import { WallClock } from './wall-clock.js';

export interface RecorderOptions {
  /** A folder of a BPF file system that is not there yet. */
  readonly pins: string;
  /** Bytes for hellos and processes. */
  readonly memoryBytes: number;
  /** Entries of the map of fingerprints. */
  readonly mapEntries: number;
  readonly cgroup: WatchedCgroup;
  readonly scope: Scope;
  readonly btfPath: string | null;
  readonly toolVersion: string;
}

/** What `record status` says. */
export interface RecorderStatus {
  readonly running: true;
  readonly pins: string;
  readonly toolVersion: string;
  /** RFC 3339, as are all times here. */
  readonly since: string;
  readonly cgroup: string;
  readonly scope: Scope;
  readonly tier: string;
  /** Places for pieces of hellos: how many there are, hold one, and were given to a newer one. */
  readonly slots: { readonly size: number; readonly used: number; readonly overwritten: number };
  /** Time of the oldest piece that is still there. */
  readonly oldest: string | null;
  readonly hellos: { readonly seen: number; readonly overwritten: number };
  readonly processes: { readonly size: number; readonly used: number; readonly overwritten: number };
  readonly fingerprints: { readonly size: number; readonly used: number; readonly refused: number };
  readonly connections: { readonly seen: number; readonly filtered: number };
  /** Programs that are not on their hooks any more, because their cgroup is gone or somebody took them off. */
  readonly detached: readonly string[];
}

/** Loads, attaches and pins. When it returns, every handshake from now on is recorded, and this process is not needed. */
export function startRecorder(options: RecorderOptions): RecorderFacts {
  const { pins, cgroup, scope, mapEntries, btfPath } = options;
  assertNoPins(pins);
  if (scope.pid !== null) assertProcess('--pid', scope.pid);
  const size = sizeOf(options.memoryBytes);
  const session = Session.open({ ringBytes: SMALLEST_RING, mapEntries, scope, btfPath, recorder: size });
  try {
    makePins(pins);
    try {
      session.attach(cgroup.directory);
      if (scope.pid !== null) addSubtree(session, scope.pid);
      const facts: RecorderFacts = {
        ...size,
        toolVersion: options.toolVersion,
        build: buildDigest(),
        clocks: readClocks(),
        tier: session.tier.name,
        missing: session.tier.missing,
        programs: session.programs(),
        cgroup: cgroup.path,
        scope,
        mapEntries,
      };
      session.pin(pins, JSON.stringify(facts));
      return facts;
    } catch (error) {
      removePins(pins);
      throw error;
    }
  } finally {
    session.close();
  }
}

/** Null where no recorder runs. */
export function recorderStatus(pins: string): RecorderStatus | null {
  return hasPins(pins) ? statusOf(pins, readRecorderFill(pins)) : null;
}

/** All that a recorder holds. See readRecorder. */
export function readPinned(pins: string): RecorderReading {
  assertPins(pins);
  return readRecorder(pins);
}

/** Takes the programs off and gives the memory back, of whatever version the recorder is. */
export function stopRecorder(pins: string): void {
  assertPins(pins);
  removePins(pins);
}

/** A hello in pieces and a process are asked for in this proportion by loopback's worst case, a connection a process. */
function sizeOf(memoryBytes: number): RecorderSize {
  const slots = Math.floor((memoryBytes * SLOTS_SHARE) / SLOT_BYTES);
  const processes = Math.floor((memoryBytes * (1 - SLOTS_SHARE)) / PROCESS_BYTES);
  if (processes < FEWEST_PROCESSES || slots > MOST_SLOTS) {
    throw new TlsnapError(
      'usage',
      '--memory',
      `${memoryBytes} bytes are ${slots > MOST_SLOTS ? 'more' : 'less'} than a recorder can use`,
      ['Give it between 1MiB and 4GiB.'],
    );
  }
  return { slots, processes };
}

function statusOf(pins: string, { facts, counters, slots, entries, detached }: RecorderFill): RecorderStatus {
  const clock = new WallClock(facts.clocks);
  return {
    running: true,
    pins,
    toolVersion: facts.toolVersion,
    since: clock.format(BigInt(facts.clocks.boottime)),
    cgroup: facts.cgroup,
    scope: facts.scope,
    tier: facts.tier,
    slots: { size: facts.slots, used: slots.used, overwritten: Math.max(0, slots.taken - facts.slots) },
    oldest: slots.oldestBootNs === 0n ? null : clock.format(slots.oldestBootNs),
    hellos: { seen: counters.CLIENT_HELLOS + counters.SERVER_HELLOS, overwritten: counters.OVERWRITTEN },
    processes: {
      size: facts.processes,
      used: entries.processes,
      overwritten: Math.max(0, counters.RECORDED - entries.processes),
    },
    fingerprints: { size: facts.mapEntries, used: entries.fingerprints, refused: counters.MAP_FULL },
    connections: { seen: counters.CONNECTED + counters.ACCEPTED, filtered: counters.FILTERED },
    detached,
  };
}

/** A page of any machine: nobody drains it, and nothing is put into it. */
const SMALLEST_RING = 65_536;
const SLOTS_SHARE = 0.75;
/** sizeof(struct tlsnap_slot). */
const SLOT_BYTES = 1024;
/** sizeof(struct tlsnap_recorded_process) and its exit, with what the kernel adds to an entry of each map. */
const PROCESS_BYTES = 2432;
const FEWEST_PROCESSES = 64;
const MOST_SLOTS = 3 * 1024 * 1024;
