import { createHash } from 'node:crypto';
import type { ExecutionContext } from 'ava';
import { describeHello } from '../../src/tls/describe.js';
import type { KnownHello } from './hellos.js';
import type { UnitResult } from './runner.js';

/**
 * Asserts that for each ClientHello the kernel either left it to user space or made what user space makes of it, whose
 * values test/tls holds against tshark. Returns how many the kernel hashed.
 */
export function assertAgrees(
  t: ExecutionContext,
  messages: readonly Uint8Array[],
  results: readonly UnitResult[],
): number {
  t.is(results.length, messages.length);
  let hashed = 0;
  for (const [index, { returned, string, md5, sha256 }] of results.entries()) {
    if (returned !== 0) continue;
    hashed++;
    const message = messages[index] ?? new Uint8Array();
    const { fingerprints } = describeHello(message, { kind: 'client', transport: 'tcp', sslv2: false });
    const kernel = `${string.toString('latin1')} ${md5} ${sha256}`;
    const user = `${fingerprints?.ja3String} ${fingerprints?.ja3} ${fingerprints?.ja3Sha256}`;
    // Hundreds of thousands pass here: only a difference is worth an assertion of its own.
    if (kernel !== user) t.is(kernel, user, Buffer.from(message).toString('hex'));
  }
  return hashed;
}

/** Asserts that the kernel made of each hello what tshark read of it, unless it is too long for the kernel. */
export function assertAsRead(t: ExecutionContext, hellos: readonly KnownHello[], results: readonly UnitResult[]): void {
  t.true(hellos.length >= 12);
  for (const [index, { name, message, ja3, ja3String }] of hellos.entries()) {
    const result = results[index];
    t.true(message.length > 0, name);
    t.is(result?.returned === 0, message.length <= HASHED_HELLO_MAX, `${name}, ${message.length} bytes`);
    if (result?.returned !== 0) continue;
    t.is(result.string.toString(), ja3String, name);
    t.is(result.md5, ja3, name);
    t.is(result.sha256, createHash('sha256').update(ja3String).digest('hex'), name);
  }
}

/** TLSNAP_HASHED_HELLO_MAX. */
const HASHED_HELLO_MAX = 2048;
