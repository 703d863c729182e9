import { Type } from 'typebox';
import { COUNTER } from '../native/layout.js';
import { DIRECTIONS } from '../native/scope.js';
import { Action } from '../snapshot/schema/action.js';
import { count, decimal, orNull, uint16, uint32 } from '../snapshot/schema/fields.js';
import { Host } from '../snapshot/schema/host.js';
import { Case, ClockReading, EndedBy } from '../snapshot/schema/manifest.js';
import { Process } from '../snapshot/schema/process.js';
import { Socket } from '../snapshot/schema/socket.js';
import { compile, type Check } from '../snapshot/schema/validators.js';
import type { Note, StartNote } from './notes.js';

/**
 * Reads the notes of a spool. Its chain finds damage, not a forger: whoever rules the host can write a spool whose links are
 * right. What no capture writes is not taken, and the caller counts it.
 */
export class NoteReader {
  readonly #checks: Record<string, Check> = Object.fromEntries(
    Object.entries(NOTES).map(([name, schema]) => [name, compile(schema)]),
  );

  /** Null for what is no note. */
  read(payload: Buffer): Note | null {
    let value: unknown;
    try {
      value = JSON.parse(payload.toString('utf8'));
    } catch {
      return null;
    }
    const name = typeof value === 'object' && value !== null && 'note' in value ? value.note : null;
    if (typeof name !== 'string' || !Object.hasOwn(this.#checks, name)) return null;
    const note = this.#checks[name]?.(value) === undefined ? (value as Note) : null;
    return note && 'clocks' in note && !isPlausible(note.clocks) ? null : note;
  }
}

/** A tar cannot say a time after 2242, nor has any host been up for a century. */
function isPlausible({ realtime, boottime }: StartNote['clocks']): boolean {
  return BigInt(realtime) < YEAR_2096_NS && BigInt(boottime) < CENTURY_NS;
}

const YEAR_2096_NS = 4_000_000_000_000_000_000n;
/** More than CLOCK_BOOTTIME ever says. */
export const CENTURY_NS = 3_155_760_000_000_000_000n;

const texts = Type.Array(Type.String());

const Scope = Type.Object({
  netns: uint32,
  pid: orNull(uint32),
  ports: Type.Array(uint16),
  direction: orNull(Type.Enum([...DIRECTIONS])),
});

/** By the name in `note`; see the types of notes.ts. */
const NOTES = {
  start: Type.Object({
    spoolVersion: Type.Literal(1),
    source: Type.Enum(['live', 'recorder']),
    toolVersion: Type.String(),
    case: Case,
    host: Host,
    asked: orNull(Type.String()),
    clocks: ClockReading,
    tier: Type.String(),
    features: texts,
    missing: texts,
    cgroup: Type.String(),
    scope: Scope,
    encryptTo: texts,
    redact: texts,
  }),
  process: Type.Object({ row: Process }),
  sockets: Type.Object({ rows: Type.Array(Socket) }),
  cgroups: Type.Object({ paths: Type.Record(decimal, Type.String()) }),
  host: Type.Object({ host: Host }),
  action: Type.Object({ action: Action }),
  counters: Type.Object({
    counters: Type.Object(Object.fromEntries(Object.keys(COUNTER).map((name) => [name, count]))),
  }),
  limit: Type.Object({ text: Type.String() }),
  detached: Type.Object({ programs: texts }),
  end: Type.Object({ endedBy: EndedBy, clocks: ClockReading }),
};
