import { describeHello } from '../../tls/describe.js';
import type { FingerprintCache } from '../../tls/fingerprint-cache.js';
import type { HandshakeRow } from '../../snapshot/timeline-file.js';
import type { HelloEnds } from '../flow/hello-extractor.js';
import type { CapturedHello } from './captured-hello.js';
import { formatTimeNs } from '../../snapshot/time-text.js';

/** The line of the timeline for a hello from a capture: no process, no role, no kernel (docs/format.md). */
export function helloRow(hello: CapturedHello, { from, to }: HelloEnds, cache: FingerprintCache): HandshakeRow {
  const { kind, transport, sslv2, complete, segments, records, streamOffset, afterRetry } = hello;
  const raw = Buffer.from(hello.raw.buffer, hello.raw.byteOffset, hello.raw.byteLength);
  const described = describeHello(raw, { kind, transport, sslv2, cache });
  return {
    time: formatTimeNs(hello.timeNs),
    bootTimeNs: null,
    kind,
    role: null,
    transport,
    flow: {
      src: from.address,
      srcPort: from.port,
      dst: to.address,
      dstPort: to.port,
      netns: null,
      cookie: null,
    },
    process: null,
    hello: { raw: raw.toString('base64'), complete, segments, records, streamOffset, sslv2, afterRetry },
    tls: described.tls,
    fingerprints: described.fingerprints,
    kernel: null,
    error: hello.error ?? described.error,
  };
}
