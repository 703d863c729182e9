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
      this.#user.set(key, { row, count: 1, first: bootTimeNs, last: bootTimeNs });
    }
  }

  /** The rows of `fingerprints.ndjson`. */
  *rows(formatBoot: (bootTimeNs: bigint) => string): Generator<Fingerprint> {
    for (const entry of this.#kernel) {
      const { pid, startTimeNs, ja3, ja3Sha256, count, side, comm, uid, ppid, cgroupId } = entry;
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
        flags: [],
      };
    }
    for (const { row, count, first, last } of this.#user.values()) {
      const { process, fingerprints, role } = row;
      yield {
        pid: process?.pid ?? 0,
        startTimeNs: process?.startTimeNs ?? '0',
        ja3: fingerprints?.ja3 ?? null,
        ja3Sha256: fingerprints?.ja3Sha256 ?? null,
        count,
        firstTime: formatBoot(first),
        lastTime: formatBoot(last),
        comm: process?.comm ?? null,
        uid: process?.uid ?? null,
        ppid: process?.ppid ?? null,
        cgroupId: null,
        side: role ?? 'client',
        hashedBy: 'user',
        flags: [],
      };
    }
  }
}

interface UserEntry {
  readonly row: HandshakeRow;
  count: number;
  readonly first: bigint;
  last: bigint;
}
