import { Type, type Static } from 'typebox';
import { closed, count, decimal, md5, orNull, sha256, time, uint32 } from './fields.js';

/** One line of `fingerprints.ndjson`: one entry of the kernel's map of fingerprints by process, as dumped. */
export const Fingerprint = Type.Object(
  {
    pid: uint32,
    startTimeNs: decimal,
    ja3: orNull(md5),
    ja3Sha256: orNull(sha256),
    count,
    firstTime: time,
    lastTime: time,
    comm: orNull(Type.String()),
    uid: orNull(uint32),
    ppid: orNull(uint32),
    cgroupId: orNull(decimal),
    side: Type.Enum(['client', 'server'], { description: 'whose hello was hashed' }),
    hashedBy: Type.Enum(['kernel', 'user'], {
      description: 'user where the kernel cannot hash: the same map, filled later',
    }),
    flags: Type.Array(Type.String(), {
      description:
        'what the kernel said about the entry, by name. sent: the process is known because it sent, as each that answers is',
    }),
  },
  closed,
);

export type Fingerprint = Static<typeof Fingerprint>;
