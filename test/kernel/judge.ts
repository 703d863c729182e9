import { realpathSync } from 'node:fs';
import type { ExecutionContext } from 'ava';
import { execa } from 'execa';
import type { Handshake } from '../../src/snapshot/schema/handshake.js';
import { TLSNAP } from './live.js';
import type { TsharkHello } from './packets.js';

/**
 * Asserts that the events are what tshark read in the packets of the same connections: two events for each hello, one
 * from either end, and none besides, with its addresses, server name, ALPN and JA3 or JA3S.
 */
export function assertSameHellos(
  t: ExecutionContext,
  events: readonly Handshake[],
  read: readonly TsharkHello[],
): void {
  t.true(read.length > 0, 'tshark read no hello');
  for (const hello of read) {
    const both = events.filter((event) => event.kind === hello.kind && randomOf(event) === hello.random);
    const what = `${hello.kind} hello ${hello.random} of ${hello.serverName ?? hello.srcPort}`;
    t.deepEqual(both.map(({ role }) => role).sort(), ['client', 'server'], what);
    for (const event of both) {
      const { flow, tls, fingerprints, error } = event;
      t.is(error, null, what);
      t.true(event.hello.complete, what);
      t.is(event.hello.streamOffset, 0, what);
      t.deepEqual(
        [flow.src, flow.srcPort, flow.dst, flow.dstPort],
        [hello.src, hello.srcPort, hello.dst, hello.dstPort],
        what,
      );
      t.is(tls?.serverName, hello.serverName, what);
      t.deepEqual(tls?.alpn, [...hello.alpn], what);
      t.is(hello.kind === 'client' ? fingerprints?.ja3 : fingerprints?.ja3s, hello.ja3, what);
      t.is(hello.kind === 'client' ? fingerprints?.ja3String : fingerprints?.ja3sString, hello.ja3String, what);
    }
    const cookies = new Set(both.map(({ flow }) => flow.cookie));
    t.is(cookies.size, both.length, `${what}: each end has a cookie of its own`);
  }
  t.is(events.length, 2 * read.length, 'an event without a packet');
}

/** A hello's random, in hex: RFC 8446 section 4.1.2, behind type, length and version. */
export function randomOf({ hello }: Handshake): string {
  return Buffer.from(hello.raw, 'base64').subarray(6, 38).toString('hex');
}

/** The events on connections to `port`. */
export function onPort(events: readonly Handshake[], port: number): Handshake[] {
  return events.filter(({ flow }) => flow.srcPort === port || flow.dstPort === port);
}

/** The one element, or a failure that says what was there. */
export function only<T>(t: ExecutionContext, found: readonly T[], what: string): T {
  t.is(found.length, 1, `${what}: ${JSON.stringify(found)}`);
  const [first] = found;
  if (first === undefined) throw new Error(`none: ${what}`);
  return first;
}

/** The file behind a command: what /proc/PID/exe of it will say. */
export async function executableOf(command: string): Promise<string> {
  const { stdout } = await execa('sh', ['-c', 'command -v "$0"', command]);
  return realpathSync(stdout.trim());
}

/** Python's own executable: `python3` may be a script that looks for it. */
export async function pythonExecutable(): Promise<string> {
  const { stdout } = await execa('python3', ['-c', 'import os, sys; print(os.path.realpath(sys.executable))']);
  return stdout.trim();
}

/** Asserts that `tlsnap verify` passes the snapshot. */
export async function assertVerifies(t: ExecutionContext, path: string): Promise<void> {
  const { exitCode, all } = await execa(process.execPath, [TLSNAP, 'verify', path], { reject: false, all: true });
  t.is(exitCode, 0, all);
}
