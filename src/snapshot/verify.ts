import { createHash } from 'node:crypto';
import { ioError, TlsnapError } from '../errors.js';
import type { AllowedSigners } from './allowed-signers.js';
import { type Identities, NO_IDENTITIES, snapshotSource } from './decryption.js';
import { AGE_SUFFIX } from './encryption.js';
import { SUFFIX } from './file-name.js';
import { isFutureFormat, parseManifest } from './manifest-file.js';
import { MANIFEST } from './members.js';
import type { Manifest } from './schema/manifest.js';
import { readSeal, type SealReading } from './seal.js';
import type { SnapshotSource } from './source.js';
import { Findings, type Verification } from './verification.js';
import { ContentVerifier } from './verify-content.js';
import { checkGzip } from './verify-gzip.js';
import { checkManifest } from './verify-manifest.js';
import { checkSignature } from './verify-signature.js';

export interface VerifyOptions {
  /** Who may sign; without it the signature is checked, but not whose it is. */
  readonly allowedSigners?: AllowedSigners;
  /** What opens an encrypted snapshot. */
  readonly identities?: Identities;
}

/**
 * Checks a snapshot in every respect and says what was found. Throws a TlsnapError only where there is nothing to
 * check: `io` where the file cannot be read, `input` where it is no snapshot, or one of a future format.
 */
export async function verifySnapshot(path: string, options: VerifyOptions = {}): Promise<Verification> {
  const findings = new Findings();
  const source = await snapshotSource(path, options.identities ?? NO_IDENTITIES);
  const seal = await sealOf(source);
  const content = new ContentVerifier(findings);
  const broken = await content.read(source);
  if (
    content.folder === undefined &&
    !seal.present &&
    !(path.endsWith(SUFFIX) || path.endsWith(`${SUFFIX}${AGE_SUFFIX}`))
  ) {
    throw new TlsnapError('input', path, `not a snapshot: ${broken?.detail ?? 'nothing in it'}`);
  }
  if (broken) findings.add('container', broken.subject.replace(`${path}, `, ''), broken.detail);
  if (content.gzip) checkGzip(content.gzip, seal, findings);
  if (!seal.intact)
    findings.add('container', 'the whole file', 'its bytes are not those that the seal at its end is over');
  findings.passed('container', `gzip and tar as tlsnap writes them, seal intact, ${seal.size} bytes`);

  const bytes = content.documents.get(MANIFEST);
  const manifest = bytes && readManifest(bytes, findings);
  const signer = checkSignature(content.documents, manifest, options.allowedSigners, findings);
  // A manifest that says so itself may be a damaged one; a signed one is believed.
  if (bytes && isFutureFormat(bytes) && findings.isClean('signature')) parseManifest(bytes, `${path}, ${MANIFEST}`);
  if (manifest) checkManifest(manifest, content, findings);
  const checks = findings.results();
  return {
    snapshot: path,
    ok: checks.every(({ ok }) => ok),
    manifestSha256: bytes ? createHash('sha256').update(bytes).digest('hex') : null,
    signer,
    handshakes: content.timeline.rows,
    checks,
    notes: options.allowedSigners?.unused.map(({ line, reason }) => `allowed signers line ${line}: ${reason}`) ?? [],
  };
}

async function sealOf(source: SnapshotSource): Promise<SealReading> {
  try {
    return await readSeal(source.open());
  } catch (error) {
    // What cannot be decrypted is a finding with its place, when the content is read.
    if (error instanceof TlsnapError) return { intact: false, present: true, size: 0, before: Buffer.alloc(0) };
    throw ioError(source.name, error);
  }
}

function readManifest(bytes: Buffer, findings: Findings): Manifest | undefined {
  try {
    const manifest = parseManifest(bytes, MANIFEST);
    findings.passed('manifest', `format ${manifest.formatVersion}, by tlsnap ${manifest.tool.version}`);
    return manifest;
  } catch (error) {
    if (!(error instanceof TlsnapError)) throw error;
    findings.add('manifest', error.subject, error.detail);
    return undefined;
  }
}
