import type { FingerprintEntry } from '../native/records.js';
import { textFields } from '../procfs/text.js';
import type { Fingerprint } from '../snapshot/schema/fingerprint.js';
import type { HandshakeRow } from '../snapshot/timeline-file.js';

/**
 * Which process has which fingerprint: the kernel's map as dumped, completed by the hellos that only user space could
 * hash, because they came in pieces. A row says who hashed it.
 */
export class FingerprintTable {
  readonly #kernel: FingerprintEntry[] = [];
  readonly #user = new Map<string, UserEntry>();

  dumped(entries: Iterable<FingerprintEntry>): void {
    this.#kernel.push(...entries);
  }

  /** Takes a line of the timeline; what the kernel hashed is in its map already. */
  hello(row: HandshakeRow, bootTimeNs: bigint): void {
    const { process, fingerprints, kernel, hello, kind, role } = row;
    const isFirst = kind === 'client' && !hello.afterRetry;
    if (!isFirst || kernel || !fingerprints?.ja3 || !process?.startTimeNs || process.pid === null || !role) return;
    const key = `${process.pid} ${process.startTimeNs} ${fingerprints.ja3} ${role}`;
    const known = this.#user.get(key);
    if (known) {
      known.count++;
      known.last = bootTimeNs;
    } else {
      const { pid, startTimeNs, comm, uid, ppid } = process;
      const { ja3, ja3Sha256 = null } = fingerprints;
      const facts = { pid, startTimeNs, comm, uid, ppid, ja3, ja3Sha256, side: role };
      this.#user.set(key, { facts, count: 1, first: bootTimeNs, last: bootTimeNs });
    }
  }

  /** The rows of `fingerprints.ndjson`. */
  *rows(formatBoot: (bootTimeNs: bigint) => string): Generator<Fingerprint> {
    for (const entry of this.#kernel) {
      const { pid, startTimeNs, ja3, ja3Sha256, count, side, comm, uid, ppid, cgroupId, sent } = entry;
      yield {
        pid,
        startTimeNs: String(startTimeNs),
        ja3,
        ja3Sha256,
        // More than a number of JSON holds exactly is no count of hellos.
        count: Math.min(Number(count), Number.MAX_SAFE_INTEGER),
        firstTime: formatBoot(entry.firstBootTimeNs),
        lastTime: formatBoot(entry.lastBootTimeNs),
        comm: textFields('comm', comm).comm,
        uid,
        ppid,
        cgroupId: String(cgroupId),
        side,
        hashedBy: 'kernel',
        flags: sent ? ['sent'] : [],
      };
    }
    for (const { facts, count, first, last } of this.#user.values()) {
      const times = { firstTime: formatBoot(first), lastTime: formatBoot(last) };
      yield { ...facts, count, ...times, cgroupId: null, hashedBy: 'user', flags: [] };
    }
  }
}

interface UserEntry {
  /** Not the line they are from: there may be a million. */
  readonly facts: Pick<Fingerprint, 'pid' | 'startTimeNs' | 'comm' | 'uid' | 'ppid' | 'ja3' | 'ja3Sha256' | 'side'>;
  count: number;
  readonly first: bigint;
  last: bigint;
}
