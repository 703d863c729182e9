import { closeSync, createReadStream, openSync, readSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { Readable } from 'node:stream';
import type { ReadableStream as WebStream } from 'node:stream/web';
import type { Identity } from 'age-encryption';
import { ioError, TlsnapError } from '../errors.js';
import type { AskPassphrase } from './signer.js';
import { fileSource, type SnapshotSource } from './source.js';

/** What opens encrypted snapshots: the secret keys of age identity files. */
export interface Identities {
  readonly keys: readonly string[];
}

export const NO_IDENTITIES: Identities = { keys: [] };

/**
 * Reads the identity files of age-keygen, in the clear or protected by a passphrase (`age -p`).
 * Throws a TlsnapError: `input` where a file holds no identity, `usage` where a passphrase is needed and nobody can be
 * asked, `io` where it cannot be read.
 */
export async function readIdentities(paths: readonly string[], ask: AskPassphrase): Promise<Identities> {
  const keys: string[] = [];
  for (const path of paths) keys.push(...(await readIdentityFile(path, ask)));
  return { keys };
}

/**
 * A snapshot's file as a source of its plain bytes: as it is, or decrypted by one of `identities`. What is neither is
 * told by whoever reads it. Throws a TlsnapError of kind `input` where none of the identities opens the file.
 */
export async function snapshotSource(path: string, identities: Identities): Promise<SnapshotSource> {
  if (!isEncrypted(path)) return fileSource(path);
  if (identities.keys.length === 0) {
    throw new TlsnapError('input', path, 'is encrypted with age', ['Name the key that opens it with --identity FILE.']);
  }
  const { Decrypter } = await import('age-encryption');
  const decrypter = new Decrypter();
  for (const key of identities.keys) decrypter.addIdentity(key);
  const header = await readHeader(path);
  let fileKey: Uint8Array;
  try {
    fileKey = await decrypter.decryptHeader(header);
  } catch (error) {
    const unknown = error instanceof Error && error.message.startsWith('no identity matched');
    throw unknown
      ? new TlsnapError('input', path, 'is encrypted to others than the given --identity', [], error)
      : new TlsnapError('input', path, `its age header is broken: ${messageOf(error)}`, [], error);
  }
  return { name: path, open: () => Readable.from(decrypted(path, fileKey), { objectMode: false }) };
}

/** The plain bytes, in chunks of 64 KiB at most, each of which is authentic. */
async function* decrypted(path: string, fileKey: Uint8Array): AsyncGenerator<Buffer, void> {
  const { Decrypter } = await import('age-encryption');
  const decrypter = new Decrypter();
  // The file key is known: no need to unwrap it anew for each pass over the file.
  decrypter.addIdentity({ unwrapFileKey: () => fileKey } satisfies Identity);
  const file = createReadStream(path, { highWaterMark: READ_BYTES });
  let plainBytes = 0;
  try {
    const source = Readable.toWeb(file) as unknown as ReadableStream<Uint8Array>;
    const plain = (await decrypter.decrypt(source)) as unknown as WebStream<Uint8Array>;
    for await (const chunk of plain) {
      plainBytes += chunk.length;
      yield Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
    }
  } catch (error) {
    if (error instanceof Error && 'syscall' in error) throw error;
    const place = `${path}, byte ${plainBytes} of the decrypted snapshot`;
    throw new TlsnapError('input', place, `encryption is broken there: ${messageOf(error)}`, [], error);
  } finally {
    file.destroy();
  }
}

/** The bytes up to the end of the header's last line, `--- MAC`. */
async function readHeader(path: string): Promise<Buffer> {
  const file = createReadStream(path, { end: MAX_HEADER_BYTES - 1 });
  let bytes = Buffer.alloc(0);
  try {
    for await (const chunk of file as AsyncIterable<Buffer>) {
      bytes = Buffer.concat([bytes, chunk]);
      const last = bytes.indexOf('\n--- ', 0, 'latin1');
      const end = last < 0 ? -1 : bytes.indexOf('\n', last + 1, 'latin1');
      if (end >= 0) return bytes.subarray(0, end + 1);
    }
  } catch (error) {
    throw ioError(path, error);
  }
  throw new TlsnapError('input', path, 'its age header has no end');
}

function isEncrypted(path: string): boolean {
  const start = Buffer.alloc(AGE_MAGIC.length);
  try {
    const fd = openSync(path, 'r');
    try {
      readSync(fd, start, 0, start.length, 0);
    } finally {
      closeSync(fd);
    }
  } catch (error) {
    throw ioError(path, error);
  }
  return start.toString('latin1') === AGE_MAGIC;
}

async function readIdentityFile(path: string, ask: AskPassphrase): Promise<string[]> {
  const { armor, Decrypter } = await import('age-encryption');
  let bytes: Uint8Array;
  try {
    bytes = await readFile(path);
  } catch (error) {
    throw ioError(path, error);
  }
  const text = Buffer.from(bytes).toString('latin1');
  const armored = text.startsWith(ARMOR);
  if (armored || text.startsWith(AGE_MAGIC)) {
    const passphrase = await ask(path);
    if (passphrase === undefined) {
      throw new TlsnapError('usage', path, 'is protected, and there is no terminal to ask for its passphrase', [
        'Decrypt it with age --decrypt, or decrypt the snapshot with age --decrypt.',
      ]);
    }
    const decrypter = new Decrypter();
    decrypter.addPassphrase(passphrase);
    try {
      bytes = await decrypter.decrypt(armored ? armor.decode(text) : bytes);
    } catch (error) {
      throw new TlsnapError('input', path, 'the passphrase does not open it', [], error);
    }
  }
  return keysOf(path, Buffer.from(bytes).toString('latin1'), new Decrypter());
}

/** One key a line; `#` begins a comment. */
function keysOf(path: string, text: string, decrypter: { addIdentity(key: string): void }): string[] {
  if (text.length > MAX_IDENTITY_BYTES) throw new TlsnapError('input', path, 'too large for an identity file');
  const keys = text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'));
  if (keys.length === 0) throw new TlsnapError('input', path, 'holds no identity', IDENTITY_ADVICE);
  for (const [index, key] of keys.entries()) {
    try {
      decrypter.addIdentity(key);
    } catch (error) {
      throw new TlsnapError('input', `${path}, key ${index + 1}`, 'not an age secret key', IDENTITY_ADVICE, error);
    }
  }
  return keys;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

const AGE_MAGIC = 'age-encryption.org/';
const ARMOR = '-----BEGIN AGE ENCRYPTED FILE-----';
const READ_BYTES = 64 * 1024;
/** A stanza has some 150 bytes, a post-quantum one 1.6 kB. */
const MAX_HEADER_BYTES = 1024 * 1024;
const MAX_IDENTITY_BYTES = 1024 * 1024;
const IDENTITY_ADVICE = [
  'Name a file of age-keygen. For SSH keys and plugins, decrypt the snapshot with age --decrypt first.',
];
