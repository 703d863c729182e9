import { GZIP_HEADER, GZIP_TRAILER_BYTES, type GzipMember, gzipTrailer } from './gzip-member.js';
import { SEAL_BYTES, type SealReading } from './seal.js';
import type { Findings } from './verification.js';

/**
 * Compares the file with the two gzip members that it should be, which any other gunzip is content without: it skips fields of a
 * header, reads more members as one, and some stop at a zero behind a member.
 */
export function checkGzip(member: GzipMember, seal: SealReading, findings: Findings): void {
  const { header, deflatedBytes } = member;
  if (!header.equals(GZIP_HEADER)) {
    findings.add('container', 'the gzip header', `is ${header.toString('hex')}, not ${GZIP_HEADER.toString('hex')}`);
  }
  const trailer = GZIP_HEADER.length + deflatedBytes;
  const end = trailer + GZIP_TRAILER_BYTES;
  if (end + SEAL_BYTES !== seal.size) {
    findings.add(
      'container',
      `byte ${end} of the file`,
      'the gzip member of the tar ends there, and not only the seal follows',
    );
  } else if (!seal.before.subarray(-GZIP_TRAILER_BYTES).equals(gzipTrailer(member))) {
    findings.add('container', `byte ${trailer} of the file`, 'is not the CRC-32 and the size of the tar');
  }
}
