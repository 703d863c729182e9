import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { PassThrough, Readable } from 'node:stream';
import { gunzipSync } from 'node:zlib';
import { extract } from 'tar-stream';
import { pack, type PackEntry } from '../../src/snapshot/pack.js';
import { seal } from '../../src/snapshot/seal.js';
import type { Manifest } from '../../src/snapshot/schema/manifest.js';
import { oneTimeSigner, type Signer } from '../../src/snapshot/signer.js';
import { fingerprintOf, publicKeyLine } from '../../src/snapshot/ssh-key.js';
import { signSshsig } from '../../src/snapshot/sshsig.js';

/** The top folder and the end of the window of a sample. */
export const TOP = 'web1-20261122T092008Z.tlsnap';
export const END = new Date('2026-11-22T09:21:08Z');

/** The members of a snapshot in the order of the file, read by tar-stream. */
export async function membersOf(path: string): Promise<PackEntry[]> {
  const members: PackEntry[] = [];
  const extraction = extract();
  Readable.from([gunzipSync(await readFile(path))]).pipe(extraction);
  for await (const entry of extraction) {
    const chunks: Buffer[] = [];
    for await (const chunk of entry) chunks.push(chunk as Buffer);
    members.push({ path: entry.header.name.slice(TOP.length + 1), content: Buffer.concat(chunks) });
  }
  return members;
}

/** Members as tlsnap packs and seals them. */
export async function packedBytes(members: readonly PackEntry[], folder = TOP, time = END): Promise<Buffer> {
  const through = new PassThrough();
  const chunks: Buffer[] = [];
  through.on('data', (chunk: Buffer) => chunks.push(chunk));
  await pack(folder, members, time, through);
  return Buffer.concat(chunks);
}

export function contentOf(members: readonly PackEntry[], path: string): Buffer {
  const content = members.find((member) => member.path === path)?.content;
  return Buffer.isBuffer(content) ? content : Buffer.alloc(0);
}

export function manifestText(members: readonly PackEntry[]): string {
  return contentOf(members, 'manifest.json').toString();
}

export function linesOf(members: readonly PackEntry[]): string[] {
  return contentOf(members, 'handshakes.ndjson').toString().match(/.*\n/g) ?? [];
}

export function replaced(members: readonly PackEntry[], contents: Record<string, string | Buffer>): PackEntry[] {
  return members.map(({ path, content }) => {
    const other = contents[path];
    return { path, content: other === undefined ? content : Buffer.from(other) };
  });
}

/** The same members with another signature, and with the key that belongs to it. */
export async function signedAnew(
  members: readonly PackEntry[],
  signer: Signer,
  withKey: boolean,
  namespace = 'tlsnap',
): Promise<PackEntry[]> {
  return replaced(members, {
    'manifest.json.sig': await signSshsig(signer, contentOf(members, 'manifest.json'), namespace),
    ...(withKey && { 'signer.pub': `${publicKeyLine(signer.publicKey)}\n` }),
  });
}

/**
 * Members with other contents and another manifest as a signer could have made them: digests, sizes and signature are right, before
 * `edit`.
 */
export async function signedClaim(
  members: readonly PackEntry[],
  contents: Record<string, string | Buffer>,
  edit: (manifest: Manifest) => void = () => undefined,
): Promise<PackEntry[]> {
  const signer = oneTimeSigner();
  const changed = replaced(members, contents);
  const manifest = JSON.parse(manifestText(members)) as Manifest;
  manifest.signer.fingerprint = fingerprintOf(signer.publicKey);
  for (const entry of manifest.members) {
    const content = contentOf(changed, entry.path);
    entry.size = content.length;
    entry.sha256 = createHash('sha256').update(content).digest('hex');
  }
  edit(manifest);
  return signedAnew(replaced(changed, { 'manifest.json': `${JSON.stringify(manifest)}\n` }), signer, true);
}

/** With the seal that belongs to it. */
export function resealed(gzip: Buffer): Buffer {
  return Buffer.concat([gzip, seal(createHash('sha256').update(gzip).digest('hex'))]);
}
