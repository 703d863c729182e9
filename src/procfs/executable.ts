import { createHash } from 'node:crypto';
import { closeSync, constants, fstatSync, openSync, readSync, statfsSync, statSync, type BigIntStats } from 'node:fs';
import { elfBuildId } from './build-id.js';
import { errorCode, ReadFault } from './field-errors.js';
import { parseExeLink, type ExeLink } from './identity.js';
import type { ProcessDirectory } from './procfs.js';

/*
 * Looks into the executable itself. Everything here touches the file system that holds it, which may be a FUSE or
 * network mount that never answers: only to be called in a process that can be given up (see src/host/reader.ts).
 */

/** What the executable's inode says. */
export interface ExecutableFacts extends ExeLink {
  size: string;
  /** major:minor, decimal. */
  device: string;
  inode: string;
}

/** Through /proc/PID/exe, so a deleted file or a memory file is found as well. */
export function statExecutable(directory: ProcessDirectory): ExecutableFacts {
  const link = directory.link('exe');
  const stat = statSync(directory.at('exe'), { bigint: true });
  return {
    ...settleExeLink(parseExeLink(link), link, stat, directory),
    size: String(stat.size),
    device: deviceOf(stat.dev),
    inode: String(stat.ino),
  };
}

export interface ExecutableDigest {
  sha256: string;
  buildId: string | null;
  size: string;
}

/** Which file must be found. */
export interface ExpectedFile {
  device: string;
  inode: string;
  /** Nanoseconds since 1970, decimal, when its process was known to run: until then nobody could write to it. */
  notChangedAfter?: string;
}

export interface HashLimits {
  /** Larger files are not read: TOO_LARGE. */
  maxBytes: number;
  /** A file that takes longer is given up: TIMEOUT. */
  maxMs: number;
}

/** Hashes files, each inode once: a hundred processes of one executable cost one reading. */
export class ExecutableHasher {
  readonly #limits: HashLimits;
  readonly #known = new Map<string, ExecutableDigest>();

  constructor(limits: HashLimits) {
    this.#limits = limits;
  }

  /**
   * SHA-256, size and build id of the file.
   *
   * @param expect refuse any other inode, and one that was changed later than it may have been (CHANGED)
   * @throws what Node's fs throws, TOO_LARGE, TIMEOUT, CHANGED (written to while it was read), ENOTSUP (not a file)
   */
  hash(path: string, expect?: ExpectedFile): ExecutableDigest {
    const fd = openQuietly(path);
    try {
      const stat = fstatSync(fd, { bigint: true });
      if (!stat.isFile()) throw new ReadFault('ENOTSUP');
      if (expect && (deviceOf(stat.dev) !== expect.device || String(stat.ino) !== expect.inode)) {
        throw new ReadFault('CHANGED');
      }
      if (expect?.notChangedAfter !== undefined && stat.ctimeNs > BigInt(expect.notChangedAfter)) {
        throw new ReadFault('CHANGED');
      }
      const key = versionOf(stat);
      const known = this.#known.get(key);
      if (known) return known;
      if (stat.size > BigInt(this.#limits.maxBytes)) throw new ReadFault('TOO_LARGE');
      const sha256 = this.#digest(fd);
      if (versionOf(fstatSync(fd, { bigint: true })) !== key) throw new ReadFault('CHANGED');
      const digest = { sha256, buildId: buildIdOf(fd), size: String(stat.size) };
      if (this.#known.size < MAX_KNOWN) this.#known.set(key, digest);
      return digest;
    } finally {
      closeSync(fd);
    }
  }

  #digest(fd: number): string {
    const hash = createHash('sha256');
    const buffer = Buffer.allocUnsafe(CHUNK);
    const deadline = Date.now() + this.#limits.maxMs;
    let total = 0;
    for (;;) {
      const count = readSync(fd, buffer, 0, CHUNK, null);
      if (count === 0) return hash.digest('hex');
      total += count;
      // The size was checked, but a file can grow, or a FUSE file lie about it.
      if (total > this.#limits.maxBytes) throw new ReadFault('TOO_LARGE');
      if (Date.now() > deadline) throw new ReadFault('TIMEOUT');
      hash.update(buffer.subarray(0, count));
    }
  }
}

/** The build id of an open file; null where it has none or cannot be read. */
export function buildIdOf(fd: number): string | null {
  try {
    return elfBuildId((offset, length) => {
      const bytes = Buffer.alloc(length);
      return bytes.subarray(0, readSync(fd, bytes, 0, length, offset));
    });
  } catch {
    return null;
  }
}

/** Opens for reading without blocking on a FIFO and, where we may, without touching the access time: it is evidence. */
export function openQuietly(path: string): number {
  const flags = constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY;
  try {
    return openSync(path, flags | constants.O_NOATIME);
  } catch (error) {
    if (errorCode(error) !== 'EPERM') throw error;
    return openSync(path, flags);
  }
}

/** Linux's encoding of dev_t, as mountinfo prints it. */
export function deviceOf(dev: bigint): string {
  const major = ((dev >> 8n) & 0xfffn) | ((dev >> 32n) & 0xffff_f000n);
  const minor = (dev & 0xffn) | ((dev >> 12n) & 0xffff_ff00n);
  return `${major}:${minor}`;
}

/**
 * Settles what the link's text leaves open. A link count of 0 is a deleted file; else a name that really ends in
 * " (deleted)" leads back to the same inode, and one that was removed while another link remains does not.
 */
function settleExeLink(parsed: ExeLink, link: Buffer, stat: BigIntStats, directory: ProcessDirectory): ExeLink {
  if (!parsed.deleted) return parsed;
  if (stat.nlink === 0n) {
    return { ...parsed, memfd: parsed.memfd && MEMORY_FILE_SYSTEMS.has(statfsSync(directory.at('exe')).type) };
  }
  const named = Buffer.concat([Buffer.from(directory.at('root')), link]);
  try {
    const there = statSync(named, { bigint: true });
    if (there.dev === stat.dev && there.ino === stat.ino) return { path: link, deleted: false, memfd: false };
  } catch {
    // Nothing of that name: deleted it is.
  }
  return { ...parsed, memfd: false };
}

/** The kernel refuses to write to a file that is being executed, so this names its content. */
function versionOf(stat: BigIntStats): string {
  return [stat.dev, stat.ino, stat.size, stat.mtimeNs, stat.ctimeNs].join(':');
}

const CHUNK = 1 << 20;
const MAX_KNOWN = 16_384;
/** TMPFS_MAGIC and HUGETLBFS_MAGIC, from <linux/magic.h>: what memfd_create makes its files on. */
const MEMORY_FILE_SYSTEMS: ReadonlySet<number> = new Set([0x0102_1994, 0x9584_58f6]);
