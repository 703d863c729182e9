/** The members of a snapshot, by name and in the order of the file; docs/format.md says what they hold. */
export const MANIFEST = 'manifest.json';
export const SIGNATURE = 'manifest.json.sig';
export const SIGNER = 'signer.pub';
export const HOST = 'host.json';
export const TIMELINE = 'handshakes.ndjson';
export const EXECUTABLES = 'executables/';

/** What the manifest says of a member, once it is staged whole. */
export interface StagedMember {
  /** Bytes. */
  readonly size: number;
  /** Lowercase hex. */
  readonly sha256: string;
  /** What is staged in place of the member itself. */
  readonly deflated?: DeflatedFile;
}

/** A file of deflated blocks (RFC 1951), which start from nothing before them and are not the end of a stream. */
export interface DeflatedFile {
  readonly path: string;
  /** CRC-32 of what was deflated. */
  readonly crc32: number;
}

/** Members of one JSON object a line. Always present, even where they have no line. */
export const ROW_MEMBERS = [
  'handshakes.ndjson',
  'fingerprints.ndjson',
  'processes.ndjson',
  'sockets.ndjson',
  'actions.ndjson',
] as const;

/** A member of rows, without its suffix. */
export type RowMember = 'handshakes' | 'fingerprints' | 'processes' | 'sockets' | 'actions';

/** The digested members in the order of the file; executables follow by digest. */
export const BODY_ORDER = [
  'handshakes.ndjson',
  'fingerprints.ndjson',
  'processes.ndjson',
  'sockets.ndjson',
  HOST,
  'actions.ndjson',
] as const;

/** Neither in the manifest's list nor digested by it: the manifest itself, and what vouches for it. */
export const HEAD_ORDER = [MANIFEST, SIGNATURE, SIGNER] as const;

/** The place of a digested member in the file, to be compared as a string; undefined for any other. */
export function bodyRank(path: string): string | undefined {
  const rank = (BODY_ORDER as readonly string[]).indexOf(path);
  if (rank >= 0) return String(rank);
  return EXECUTABLE.test(path) ? `~${path}` : undefined;
}

export function isKnownMember(path: string): boolean {
  return (
    (HEAD_ORDER as readonly string[]).includes(path) ||
    (BODY_ORDER as readonly string[]).includes(path) ||
    EXECUTABLE.test(path)
  );
}

/** `0400` for what is never written again: executables too, so that nobody starts one by accident. */
export const MEMBER_MODE = 0o400;

const EXECUTABLE = /^executables\/[0-9a-f]{64}$/;
