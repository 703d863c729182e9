import { type AllowedSigners, findSigner } from './allowed-signers.js';
import { MANIFEST, SIGNATURE, SIGNER } from './members.js';
import type { Manifest } from './schema/manifest.js';
import { fingerprintOf, publicKeyLine } from './ssh-key.js';
import { NAMESPACE, parseSshsig, type Sshsig, verifySshsig } from './sshsig.js';
import type { Findings, VerifiedSigner } from './verification.js';

/**
 * Checks that manifest.json.sig is over manifest.json, that signer.pub and the manifest name the same key, and, where
 * there is an allowed signers file, whose key that is. Returns the key that signed, undefined as null.
 */
export function checkSignature(
  documents: ReadonlyMap<string, Buffer>,
  manifest: Manifest | undefined,
  allowed: AllowedSigners | undefined,
  findings: Findings,
): VerifiedSigner | null {
  const armored = documents.get(SIGNATURE);
  const signed = documents.get(MANIFEST);
  const sshsig = armored && readSignature(armored, findings);
  if (!armored) findings.add('signature', SIGNATURE, 'is missing');
  if (!signed) findings.add('signature', MANIFEST, 'is missing');
  if (!sshsig || !signed) return null;
  const { blob, type } = sshsig.publicKey;
  const fingerprint = fingerprintOf(blob);
  checkBytes(sshsig, signed, findings);
  findings.passed('signature', `SSHSIG over ${MANIFEST}, ${type} ${fingerprint}`);
  checkNames(blob, documents.get(SIGNER), manifest, findings);
  const principals = allowed ? checkAllowed(allowed, blob, manifest, findings) : null;
  findings.passed('signer', principals ? principals.join(', ') : UNKNOWN);
  const facts = manifest?.signer.fingerprint === fingerprint ? manifest.signer : undefined;
  return { type, fingerprint, source: facts?.source ?? null, comment: facts?.comment ?? null, principals };
}

function readSignature(armored: Buffer, findings: Findings): Sshsig | undefined {
  try {
    return parseSshsig(armored.toString('latin1'));
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    findings.add('signature', SIGNATURE, error.message);
    return undefined;
  }
}

function checkBytes(sshsig: Sshsig, signed: Buffer, findings: Findings): void {
  if (sshsig.namespace !== NAMESPACE) {
    findings.add('signature', SIGNATURE, `is for namespace ${JSON.stringify(sshsig.namespace)}, not ${NAMESPACE}`);
    return;
  }
  try {
    if (verifySshsig(sshsig, signed, NAMESPACE)) return;
    findings.add('signature', SIGNATURE, `is not a signature over this ${MANIFEST} by the key in it`);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    findings.add('signature', SIGNATURE, error.message);
  }
}

function checkNames(blob: Buffer, line: Buffer | undefined, manifest: Manifest | undefined, findings: Findings): void {
  if (!line) findings.add('signer', SIGNER, 'is missing');
  else if (line.toString('latin1') !== `${publicKeyLine(blob)}\n`) {
    findings.add('signer', SIGNER, 'is not the key that signed');
  }
  const named = manifest?.signer.fingerprint;
  if (named !== undefined && named !== fingerprintOf(blob)) {
    findings.add('signer', `${MANIFEST} signer`, `names ${named}, and ${fingerprintOf(blob)} signed`);
  }
}

function checkAllowed(
  allowed: AllowedSigners,
  blob: Buffer,
  manifest: Manifest | undefined,
  findings: Findings,
): string[] {
  // As git does for commits: the key must have been valid when the signature claims to be made, not today.
  const time = manifest ? new Date(manifest.window.end) : new Date();
  const { principals, refusals } = findSigner(allowed, blob, NAMESPACE, time);
  if (principals.length === 0) {
    const reason = refusals.length > 0 ? refusals.join('; ') : 'the key is not in the allowed signers file';
    findings.add('signer', fingerprintOf(blob), reason);
  }
  return [...principals];
}

const UNKNOWN = 'nobody was named as allowed: compare the key with the one noted when the snapshot was made';
