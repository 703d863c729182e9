import { formatAddress } from '../snapshot/address-text.js';
import type { HandshakeRow } from '../snapshot/timeline-file.js';
import type { KernelJa3 } from '../native/records.js';
import { describeHello, type Fingerprints } from '../tls/describe.js';
import type { FingerprintCache } from '../tls/fingerprint-cache.js';
import type { AssembledHello } from './assembly.js';
import type { WallClock } from './wall-clock.js';

/** The line of the timeline for a hello that was seen live. */
export function helloRow(
  { bootTimeNs, flow, outgoing, hello, ja3, afterRetry }: AssembledHello,
  process: NonNullable<HandshakeRow['process']>,
  clock: WallClock,
  cache: FingerprintCache,
): HandshakeRow {
  const { kind, raw, complete, segments, records, streamOffset, sslv2 } = hello;
  const { tls, fingerprints, error } = describeHello(raw, { kind, transport: 'tcp', sslv2, cache });
  const local = [formatAddress(flow.localAddress), flow.localPort] as const;
  const remote = [formatAddress(flow.remoteAddress), flow.remotePort] as const;
  const [[src, srcPort], [dst, dstPort]] = outgoing ? [local, remote] : [remote, local];
  return {
    time: clock.format(bootTimeNs),
    bootTimeNs: String(bootTimeNs),
    kind,
    // Who sends the ClientHello is the client, also where it was the other end that connected (FTP's data channel).
    role: outgoing === (kind === 'client') ? 'client' : 'server',
    transport: 'tcp',
    flow: { src, srcPort, dst, dstPort, netns: flow.netns, cookie: flow.cookie === 0n ? null : String(flow.cookie) },
    process,
    hello: {
      raw: Buffer.from(raw.buffer, raw.byteOffset, raw.byteLength).toString('base64'),
      complete,
      segments,
      records,
      streamOffset,
      sslv2,
      afterRetry,
    },
    tls,
    fingerprints,
    kernel: ja3,
    error: hello.error ?? error ?? disagreement(ja3, fingerprints),
  };
}

/** Two implementations hashed the same hello. Where they differ one is wrong, and that is evidence of its own. */
export function disagreement(kernel: KernelJa3 | null, fingerprints: Fingerprints | null): string | null {
  if (!kernel) return null;
  const { ja3 = 'none', ja3Sha256 = 'none' } = fingerprints ?? {};
  if (kernel.ja3 !== ja3) return `kernel ja3 ${kernel.ja3} is not what the raw bytes give: ${ja3}`;
  if (kernel.ja3Sha256 === ja3Sha256) return null;
  return `kernel ja3Sha256 ${kernel.ja3Sha256} is not what the raw bytes give: ${ja3Sha256}`;
}
