import { randomBytes } from 'node:crypto';
import type { SnapshotFacts } from '../snapshot/schema/manifest.js';
import type { ByteSource } from './file/byte-source.js';
import type { CapturedPacket } from './file/captured-packet.js';
import { type CaptureSummary, readCapture } from './file/read-capture.js';
import { HelloExtractor } from './flow/hello-extractor.js';
import type { HelloTaker } from './hello/row-thread.js';
import { formatTimeNs } from '../snapshot/time-text.js';
import { TimeSpan } from './time-span.js';

/** What of the manifest an imported capture knows. */
export type ImportFacts = Pick<SnapshotFacts, 'window' | 'coverage' | 'input'>;

export interface ImportedCapture {
  readonly summary: CaptureSummary;
  readonly hellos: { readonly client: number; readonly server: number; readonly truncated: number };
  readonly facts: ImportFacts;
  /** What a reader of the snapshot must know, one sentence each: where the capture ends early, what was passed over. */
  readonly warnings: readonly string[];
}

/**
 * Reads a capture and gives every hello in it to the timeline; the caller finishes the snapshot.
 * Memory is bounded whatever the capture holds. Throws TlsnapError (`input`) where nothing of it could be read.
 * @param progress told from time to time how many bytes of the (unpacked) capture are read
 */
export async function importCapture(
  source: ByteSource,
  timeline: HelloTaker,
  progress: (bytes: number) => void = () => undefined,
): Promise<ImportedCapture> {
  const hellos = { client: 0, server: 0, truncated: 0 };
  const extractor = new HelloExtractor(
    (hello, ends) => {
      timeline.add(hello, ends);
      hellos[hello.kind]++;
      if (!hello.complete) hellos.truncated++;
    },
    { seed: randomBytes(4).readInt32LE() },
  );
  const span = new TimeSpan();
  const sink = {
    packet: (packet: CapturedPacket) => {
      span.note(packet);
      extractor.packet(packet);
    },
  };
  const summary = await readCapture(source, sink, (bytes) => {
    progress(bytes);
    return timeline.keptUp();
  });
  while (extractor.endSome()) await timeline.keptUp();
  const losses = lossesOf(summary, extractor);
  const warnings = warningsOf(source.name, summary, extractor, span.untimed);
  const facts: ImportFacts = {
    input: { path: source.name, ...(await source.digest()) },
    window: { asked: null, ...windowOf(span), endedBy: endOf(summary) },
    coverage: {
      events: hellos.client + hellos.server,
      lossesByKind: losses,
      hellosTruncated: hellos.truncated,
      hellosWithoutProcess: hellos.client + hellos.server,
      connectionsWithoutHello: null,
      socketsOlderThanWindow: null,
      kernelFeaturesMissing: [],
      limits: limitsOf(extractor),
      notes: warnings.slice(),
      redacted: 0,
      reconciliation: null,
    },
  };
  return { summary, hellos, facts, warnings };
}

/**
 * From the earliest packet to the latest. Where none has a time, the window is where their hellos stand; a capture without any
 * packets has no time but now.
 */
function windowOf(span: TimeSpan): Pick<ImportFacts['window'], 'start' | 'end'> {
  const timeless = span.untimed > 0 ? 0n : BigInt(Date.now()) * 1_000_000n;
  const { earliest, latest } = span.ns() ?? { earliest: timeless, latest: timeless };
  return { start: formatTimeNs(earliest), end: formatTimeNs(latest) };
}

function endOf({ fault, stopped }: CaptureSummary): ImportFacts['window']['endedBy'] {
  if (fault) return 'error';
  return stopped ? 'signal' : 'input-end';
}

function lossesOf(summary: CaptureSummary, extractor: HelloExtractor): Record<string, number> {
  const { dissector } = extractor;
  const unknownLinks = [...dissector.unknownLinkTypes.values()].reduce((sum, count) => sum + count, 0);
  const losses = {
    'capture.unreadable-rest': summary.fault ? 1 : 0,
    'capture.unread-rest': summary.stopped ? 1 : 0,
    'capture.oversized-record': summary.oversized,
    'packet.unknown-link-type': unknownLinks,
    'packet.cut-by-snap-length': extractor.packetsCut,
    'packet.too-many-layers': dissector.tooDeep,
    'packet.fragments-incomplete': dissector.fragments.dropped + dissector.fragments.size,
    'flow.given-up': extractor.flowsGivenUp,
    'flow.unopened': extractor.flowsUnopened,
  };
  return Object.fromEntries(Object.entries(losses).filter(([, count]) => count > 0));
}

function limitsOf(extractor: HelloExtractor): string[] {
  const limits: string[] = [];
  if (extractor.flowsGivenUp > 0) limits.push('connections followed at the same time, or bytes kept for them');
  if (extractor.flowsUnopened > 0) limits.push('QUIC packets tried that no key opens');
  return limits;
}

function warningsOf(name: string, summary: CaptureSummary, extractor: HelloExtractor, untimed: number): string[] {
  const warnings: string[] = [];
  const { fault, packets, oversized, stopped, bytes } = summary;
  if (fault) {
    const what = fault.kind === 'cut' ? 'is cut off' : 'is damaged';
    warnings.push(`${name}: ${what} at byte ${fault.offset} (${fault.detail}); the ${packets} packets before are kept`);
  }
  if (stopped) warnings.push(`${name}: reading was ended at byte ${bytes}; the ${packets} packets before are kept`);
  else if (packets === 0) warnings.push(`${name}: holds no packets`);
  if (oversized > 0) warnings.push(`${name}: ${oversized} records larger than any packet were passed over`);
  if (untimed > 0) {
    warnings.push(`${name}: ${untimed} packets have no time; hellos in them stand at ${formatTimeNs(0n)} in its place`);
  }
  for (const [linkType, count] of extractor.dissector.unknownLinkTypes) {
    warnings.push(`${name}: ${count} packets of link type ${linkType}, which is not understood, were passed over`);
  }
  if (extractor.packetsCut > 0) {
    warnings.push(`${name}: ${extractor.packetsCut} packets were captured in part only, with too short a snap length`);
  }
  if (extractor.flowsGivenUp > 0) {
    warnings.push(`${name}: ${extractor.flowsGivenUp} connections were given up unfinished, to keep memory bounded`);
  }
  if (extractor.flowsUnopened > 0) {
    warnings.push(
      `${name}: between ${extractor.flowsUnopened} pairs of ports no more QUIC was looked for, after too many packets that no key opens`,
    );
  }
  return warnings;
}
