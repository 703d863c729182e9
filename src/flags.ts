import { Errors, Flags } from '@oclif/core';
import { DIRECTIONS, MAX_PORTS, type Direction, type Scope } from './native/scope.js';

/** A duration as `10s`, `5m`, `1h` or ISO 8601 (`PT90S`). */
export const durationFlag = Flags.custom<{ ms: number; iso: string }>({
  parse: async (text) => {
    // Only here: commands that take no duration start without it.
    const { Duration } = await import('luxon');
    const short = /^(\d{1,9})(ms|s|m|h|d)$/.exec(text);
    const unit = UNITS[short?.[2] ?? ''];
    const duration = unit ? Duration.fromObject({ [unit]: Number(short?.[1]) }) : Duration.fromISO(text);
    const ms = duration.isValid ? duration.toMillis() : Number.NaN;
    if (!(ms > 0 && ms <= MAX_WINDOW_MS)) {
      throw new Errors.CLIError(`${text}: not a duration: use 10s, 5m, 1h or ISO 8601, up to 24 days`, { exit: 2 });
    }
    return { ms, iso: duration.toISO() ?? text };
  },
});

/** A number of bytes as `65536`, `512KiB`, `16MiB` or `1GiB`. */
export const sizeFlag = Flags.custom<number>({
  parse: (text) => {
    const match = /^(\d{1,12})(?:(KiB|MiB|GiB)|B)?$/.exec(text);
    if (!match)
      return Promise.reject(new Errors.CLIError(`${text}: not a size: use bytes, KiB, MiB or GiB`, { exit: 2 }));
    return Promise.resolve(Number(match[1]) * (SIZES[match[2] ?? ''] ?? 1));
  },
});

/** A ring of the kernel: a power of two, and so many pages that one record fits. */
const ringSizeFlag = Flags.custom<number>({
  parse: async (text, context, options) => {
    const bytes = (await sizeFlag().parse(text, context, options)) ?? 0;
    if (bytes >= MIN_RING && bytes <= MAX_RING && Number.isInteger(Math.log2(bytes))) return bytes;
    throw new Errors.CLIError(`${text}: not a size of a ring: use a power of two from 64KiB to 1GiB`, { exit: 2 });
  },
});

/** How much a capture may take of the host. */
export const limitFlags = {
  'ring-size': ringSizeFlag({
    default: 16 * 1024 * 1024,
    defaultHelp: () => Promise.resolve('16MiB'),
    helpValue: '16MiB',
    description: 'kernel buffer, a power of two from 64KiB to 1GiB',
  }),
  'map-size': Flags.integer({
    min: 1,
    max: 16_777_216,
    default: 65_536,
    helpValue: '65536',
    description: 'fingerprints by process that the kernel can hold',
  }),
  'max-size': sizeFlag({ helpValue: '1GiB', description: 'end the window when so much is captured, before packing' }),
  'max-memory': sizeFlag({ helpValue: '1GiB', description: 'end the window when tlsnap has so much memory in use' }),
};

/** What parsed `limitFlags` say. */
export function limitsOf(flags: LimitFlags) {
  return {
    ringBytes: flags['ring-size'],
    mapEntries: flags['map-size'],
    limits: { spoolBytes: flags['max-size'] ?? null, memoryBytes: flags['max-memory'] ?? null },
  };
}

export const rehandshakeFlags = {
  rehandshake: Flags.string({
    helpValue: 'PID|DST',
    description:
      'close the connections that this process has, or that lead there (address or address:port), so that they shake hands ' +
      'anew; disturbs what runs, and shows the adversary that somebody is there; may be given again',
    multiple: true,
    multipleNonGreedy: true,
    dependsOn: ['yes'],
  }),
  yes: Flags.boolean({ description: 'yes, close them', dependsOn: ['rehandshake'] }),
};

export const redactFlag = Flags.string({
  helpValue: 'PATTERN',
  description:
    "take out of arguments and variables what the last * covers: '*TOKEN=*', '--password *'; may be given again",
  multiple: true,
  multipleNonGreedy: true,
});

/** Which connections a live command follows. */
export const scopeFlags = {
  cgroup: Flags.string({ helpValue: 'PATH', description: 'watch only this cgroup2 directory and what is below it' }),
  netns: Flags.integer({
    helpValue: 'INO',
    min: 1,
    max: 0xffff_ffff,
    description: 'watch only this network namespace, by inode',
  }),
  pid: Flags.integer({ helpValue: 'PID', min: 1, description: 'watch only this process and its descendants' }),
  port: Flags.integer({
    helpValue: 'PORT',
    min: 1,
    max: 65_535,
    description: 'watch only connections with this port at either end; may be given again',
    multiple: true,
    multipleNonGreedy: true,
  }),
  direction: Flags.option({
    options: DIRECTIONS,
    description: 'watch only connections that processes here open, or only those that they accept',
  })(),
};

/** The scope from parsed `scopeFlags`; the cgroup is found by findCgroup(). */
export function scopeOf(flags: {
  netns?: number | undefined;
  pid?: number | undefined;
  port?: number[] | undefined;
  direction?: Direction | undefined;
}): Scope {
  const ports = [...new Set(flags.port)];
  if (ports.length > MAX_PORTS) {
    throw new Errors.CLIError(`--port: ${ports.length} ports, and at most ${MAX_PORTS} can be watched`, { exit: 2 });
  }
  return { netns: flags.netns ?? 0, pid: flags.pid ?? null, ports, direction: flags.direction ?? null };
}

/** Where a flight recorder is pinned. */
export const pinsFlag = Flags.string({
  helpValue: 'DIR',
  default: '/sys/fs/bpf/tlsnap',
  description: 'folder of a BPF file system in which the recorder is pinned',
});

export const feedsFlag = Flags.string({
  helpValue: 'FILE',
  description: "a feed of any known shape, gzip'd or not; may be given again",
  multiple: true,
  multipleNonGreedy: true,
});

export const keyFlag = Flags.string({
  helpValue: 'FILE|agent',
  description: 'OpenSSH private key to sign with, or agent; without it a one-time key',
});

export const encryptToFlag = Flags.string({
  helpValue: 'RECIPIENT',
  description: 'encrypt the snapshot to this age recipient, as FILE.age; may be given again',
  multiple: true,
  multipleNonGreedy: true,
});

/** Of a command that writes a snapshot: who signs and reads it, and what goes into the manifest about the case. */
export const evidenceFlags = {
  key: keyFlag,
  'encrypt-to': encryptToFlag,
  case: Flags.string({ helpValue: 'ID', description: 'case number' }),
  evidence: Flags.string({ helpValue: 'ID', description: 'evidence number' }),
  examiner: Flags.string({ helpValue: 'NAME', description: 'who takes it' }),
  description: Flags.string({ helpValue: 'TEXT', description: 'free words' }),
};

/** What parsed `evidenceFlags` say, but the key. */
export function evidenceOf(flags: EvidenceFlags) {
  return {
    encryptTo: flags['encrypt-to'] ?? [],
    case: {
      case: flags.case ?? null,
      evidence: flags.evidence ?? null,
      examiner: flags.examiner ?? null,
      description: flags.description ?? null,
    },
  };
}

export const identityFlag = Flags.string({
  helpValue: 'FILE',
  description: 'age identity that opens an encrypted snapshot; may be given again',
  multiple: true,
  multipleNonGreedy: true,
});

type EvidenceFlags = { [name in Exclude<keyof typeof evidenceFlags, 'encrypt-to'>]?: string | undefined } & {
  'encrypt-to'?: string[] | undefined;
};

interface LimitFlags {
  readonly 'ring-size': number;
  readonly 'map-size': number;
  readonly 'max-size'?: number | undefined;
  readonly 'max-memory'?: number | undefined;
}

const UNITS: Record<string, 'milliseconds' | 'seconds' | 'minutes' | 'hours' | 'days'> = {
  ms: 'milliseconds',
  s: 'seconds',
  m: 'minutes',
  h: 'hours',
  d: 'days',
};
/** What a timer of Node can wait for: 2^31 - 1 ms. */
const MAX_WINDOW_MS = 2_147_483_647;
const MIN_RING = 64 * 1024;
const MAX_RING = 1024 ** 3;
const SIZES: Record<string, number> = { KiB: 1024, MiB: 1024 ** 2, GiB: 1024 ** 3 };
