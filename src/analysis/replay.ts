import type { Confidence } from '../intel/confidence.js';
import { type ComparedFeeds, extentOf } from '../intel/feed-gaps.js';
import { IndicatorIndex } from '../intel/indicator-index.js';
import { ja4Forms } from '../intel/ja4-forms.js';
import type { Hit } from '../intel/hit.js';
import type { Feed } from '../intel/load.js';
import { Matcher } from '../intel/matches.js';
import type { Identities } from '../snapshot/decryption.js';
import { openSnapshot, type Snapshot } from '../snapshot/reader.js';
import { rederive, type Difference } from '../snapshot/rederivation.js';
import type { Handshake } from '../snapshot/schema/handshake.js';
import type { Manifest } from '../snapshot/schema/manifest.js';
import { FingerprintCache } from '../tls/fingerprint-cache.js';
import { instantOf } from './instant.js';
import { Pace } from './pace.js';
import { ProcessTimeline } from './process-timeline.js';
import type { ProcessAppears, ProcessVanishes, ReplayEvent } from './replay-event.js';

export interface ReplayOptions {
  /** Recorded seconds a second; `Infinity` is as fast as it goes. */
  readonly speed: number;
  readonly feeds: readonly Feed[];
  /** What opens an encrypted snapshot. */
  readonly identities?: Identities;
}

export interface ReplaySummary extends ComparedFeeds {
  readonly snapshot: string;
  readonly manifestSha256: string;
  readonly source: Manifest['source'];
  readonly window: Pick<Manifest['window'], 'start' | 'end'>;
  readonly handshakes: number;
  /** Hellos whose raw bytes gave a fingerprint. */
  readonly derived: number;
  /** Hellos of which the kernel's own value was compared too. */
  readonly comparedWithKernel: number;
  /** Hellos with something recorded that the raw bytes do not give. */
  readonly differing: number;
  readonly processes: number;
  /** More processes than are kept in memory: they neither appear nor vanish. */
  readonly processesLeftOut: number;
  readonly hits: Readonly<Record<Confidence | 'total', number>>;
  readonly coverage: Manifest['coverage'];
}

/** Takes what happens, in order. May wait, for a slow reader of the output. */
export type OnEvents = (events: readonly ReplayEvent[]) => Promise<void>;

/**
 * Plays a snapshot's timeline. Everything told of a hello is derived anew from its raw bytes. The file is read twice,
 * since processes come behind the handshakes; memory is bounded, however long the timeline.
 * @throws TlsnapError of kind `input` with the place in the snapshot
 */
export async function replaySnapshot(path: string, options: ReplayOptions, onEvents: OnEvents): Promise<ReplaySummary> {
  const snapshot = await openSnapshot(path, options.identities);
  const processes = await ProcessTimeline.read(snapshot);
  const index = new IndicatorIndex(options.feeds);
  const player = new Player(processes, new Matcher(index, { forms: ja4Forms() }));
  const pace = new Pace(options.speed);
  for await (const events of player.play(snapshot)) await paced(events, pace, onEvents);
  return {
    snapshot: path,
    manifestSha256: snapshot.manifestSha256,
    source: snapshot.manifest.source,
    window: { start: snapshot.manifest.window.start, end: snapshot.manifest.window.end },
    ...player.counts,
    hits: player.hits,
    processes: processes.size,
    processesLeftOut: processes.leftOut,
    feeds: options.feeds.map(extentOf),
    notCompared: index.notCompared,
    coverage: snapshot.manifest.coverage,
  };
}

async function paced(events: readonly ReplayEvent[], pace: Pace, onEvents: OnEvents): Promise<void> {
  let from = 0;
  for (const [at, event] of events.entries()) {
    const moment = instantOf(event.time);
    if (pace.wait(moment) === 0) continue;
    if (at > from) await onEvents(events.slice(from, at));
    from = at;
    await pace.until(moment);
  }
  await onEvents(from === 0 ? events : events.slice(from));
}

/** Puts handshakes, processes, differences and hits in one order. */
class Player {
  readonly counts = { handshakes: 0, derived: 0, comparedWithKernel: 0, differing: 0 };
  readonly hits = { total: 0, high: 0, medium: 0, low: 0 };
  readonly #processes: ProcessTimeline;
  readonly #matcher: Matcher;
  readonly #cache = new FingerprintCache();
  #lastTime = '';
  #next = 0;

  constructor(processes: ProcessTimeline, matcher: Matcher) {
    this.#processes = processes;
    this.#matcher = matcher;
  }

  async *play(snapshot: Snapshot): AsyncGenerator<readonly ReplayEvent[], void> {
    for await (const rows of snapshot.rows('handshakes')) {
      const events: ReplayEvent[] = [];
      for (const row of rows) {
        for (const event of this.#processes.until(instantOf(row.time))) this.#process(event, events);
        this.#hello(row, events);
      }
      yield events;
    }
    let events: ReplayEvent[] = [];
    for (const event of this.#processes.until(null)) {
      this.#process(event, events);
      if (events.length < BATCH) continue;
      yield events;
      events = [];
    }
    yield events;
  }

  #hello(row: Handshake, events: ReplayEvent[]): void {
    const { derived, differences: inHello } = rederive(row, this.#cache);
    const { tls, fingerprints } = derived;
    const differences = [...this.#disorder(row), ...inHello];
    const kernel = row.kernel !== null && fingerprints !== null && Object.keys(row.kernel).length > 0;
    this.counts.handshakes += 1;
    if (fingerprints) this.counts.derived += 1;
    if (kernel) this.counts.comparedWithKernel += 1;
    const { seq, time, kind, role, transport, flow, process, hello, error } = row;
    events.push({
      ...{ type: 'handshake', seq, time, kind, role, transport, flow, process },
      ...{ afterRetry: hello.afterRetry, complete: hello.complete, tls, fingerprints, error },
      asRecorded: !inHello.some(({ field }) => !isKernels(field)),
      asInKernel: kernel ? !inHello.some(({ field }) => isKernels(field)) : null,
    });
    if (differences.length > 0) {
      this.counts.differing += 1;
      events.push({ type: 'differs', time, seq, differences });
    }
    // What the raw bytes give is compared, so that a changed fingerprint hides nothing.
    this.#matches(time, this.#matcher.handshake({ ...row, tls, fingerprints }), events);
  }

  /** Rows are numbered, and in order of time; RFC 3339 in UTC with nine digits sorts as text. */
  #disorder({ seq, time }: Handshake): Difference[] {
    const differences: Difference[] = [];
    if (seq !== this.#next) differences.push({ field: 'seq', recorded: seq, derived: this.#next });
    if (time < this.#lastTime)
      differences.push({ field: 'time', recorded: time, derived: `from ${this.#lastTime} on` });
    else this.#lastTime = time;
    this.#next = seq + 1;
    return differences;
  }

  #process(event: ProcessAppears | ProcessVanishes, events: ReplayEvent[]): void {
    events.push(event);
    if (event.type === 'process') this.#matches(event.time, this.#matcher.process(event.process), events);
  }

  #matches(time: string, hits: readonly Hit[], events: ReplayEvent[]): void {
    for (const hit of hits) {
      this.hits[hit.confidence] += 1;
      this.hits.total += 1;
      events.push({ type: 'match', time, hit });
    }
  }
}

function isKernels(field: string): boolean {
  return field.startsWith('kernel.');
}

/** Events handed over at once where no chunk of the file bounds them. */
const BATCH = 1000;
