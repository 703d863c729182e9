import { Readable } from 'node:stream';
import type { ReadableStream as WebStream } from 'node:stream/web';
import type { Encrypter } from 'age-encryption';
import { TlsnapError } from '../errors.js';

/** To whom a snapshot is encrypted: age recipients (`age1...`); with none of them it is written in the clear. */
export type Recipients = readonly string[];

/** The file that is written for `output`: an encrypted snapshot has `.age` at the end of its name. */
export function encryptedName(output: string, recipients: Recipients): string {
  return recipients.length === 0 || output === '-' || output.endsWith(AGE_SUFFIX) ? output : `${output}${AGE_SUFFIX}`;
}

/** Throws a TlsnapError of kind `usage` where one of the recipients is none. */
export async function checkRecipients(recipients: Recipients): Promise<void> {
  if (recipients.length > MAX_RECIPIENTS) {
    throw new TlsnapError('usage', '--encrypt-to', `more than ${MAX_RECIPIENTS} recipients`);
  }
  if (recipients.length > 0) await encrypterFor(recipients);
}

/**
 * A step of a pipeline that encrypts to `recipients` (age-encryption.org/v1) and holds no more than a chunk of 64 KiB.
 * The file key lives in this process only: who is not among the recipients cannot read the file, nor can its writer.
 */
export async function encryption(
  recipients: Recipients,
): Promise<(plain: AsyncIterable<Buffer>) => AsyncGenerator<Buffer, void>> {
  const encrypter = await encrypterFor(recipients);
  return async function* (plain) {
    const source = Readable.toWeb(Readable.from(plain)) as unknown as ReadableStream<Uint8Array>;
    const encrypted = (await encrypter.encrypt(source)) as unknown as WebStream<Uint8Array>;
    for await (const chunk of encrypted) yield Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
  };
}

async function encrypterFor(recipients: Recipients): Promise<Encrypter> {
  const { Encrypter } = await import('age-encryption');
  const encrypter = new Encrypter();
  for (const recipient of recipients) {
    try {
      encrypter.addRecipient(recipient);
    } catch (error) {
      const advice = recipient.startsWith('AGE-SECRET-KEY-')
        ? 'That is the secret half: name the public one, which age-keygen -y FILE prints.'
        : 'Name the public half of a key of age-keygen: age1 and what follows.';
      // Never the text itself, which may be a secret.
      throw new TlsnapError('usage', '--encrypt-to', 'not an age recipient', [advice], error);
    }
  }
  return encrypter;
}

export const AGE_SUFFIX = '.age';
const MAX_RECIPIENTS = 64;
