import type { ExecutionContext } from 'ava';
import { describeHello } from '../../src/tls/describe.js';
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
