import type { Snapshot } from '../snapshot/reader.js';
import type { HiddenProcess, Host } from '../snapshot/schema/host.js';
import type { Process } from '../snapshot/schema/process.js';
import { browserLike, isBrowser } from './browsers.js';
import { bounded, Budget } from './distinct-values.js';
import type { Finding } from './finding.js';
import { browserFinding, hiddenFinding, stackFinding, unusualFinding } from './finding-text.js';
import type { BrowserSighting, Sighting, StackSighting, UnusualSighting } from './sighting.js';
import { survey, type Observer, type SurveyedHello } from './survey.js';
import { TlsStacks } from './tls-stacks.js';
import { unusualExecutable, worldWritable } from './unusual-executable.js';

/** The findings of one snapshot, the most certain first. Memory is bounded by distinct executables, not by events. */
export async function findings(snapshot: Snapshot): Promise<readonly Finding[]> {
  const collector = new FindingCollector();
  await survey(snapshot, [collector]);
  return collector.findings();
}

/** Looks for all of them at once, in one survey. */
export class FindingCollector implements Observer {
  readonly #budget = new Budget(64 * 1024 * 1024);
  /** By pid and start time: the few processes that are suspicious if they talk TLS. */
  readonly #suspects = new Map<string, UnusualSighting>();
  readonly #unusual = new Map<string, UnusualSighting>();
  readonly #browsers = new Map<string, BrowserSighting>();
  readonly #stacks = new Map<string, StackSighting>();
  readonly #hidden = new Map<string, { process: HiddenProcess; sighting: Sighting }>();
  readonly #libraries = new Map<string, Set<string>>();
  #leftOut = 0;

  /** Things that could not be looked at, because there were too many different ones. */
  get leftOut(): number {
    return this.#leftOut;
  }

  host({ hiddenProcesses }: Host): void {
    for (const process of hiddenProcesses ?? []) {
      const { pid, startTimeNs, comm } = process;
      const sighting = { exe: null, comm, pid, startTimeNs, seqs: [], handshakes: 0 };
      this.#keep(this.#hidden, keyOf(pid, startTimeNs), () => ({ process, sighting }));
    }
  }

  process(row: Process): void {
    const { pid, startTimeNs } = row;
    const exe = row.exe && bounded(row.exe);
    if (exe !== null && row.tlsLibraries?.length) {
      const libraries = this.#keep(this.#libraries, exe, () => new Set<string>());
      for (const { library } of row.tlsLibraries) if (libraries && libraries.size < 16) libraries.add(bounded(library));
    }
    const unusual = unusualExecutable(row);
    if (!unusual) return;
    const sighting = this.#keep(this.#unusual, `${exe} ${unusual.what}`, () => ({
      ...{ unusual, exe, comm: row.comm && bounded(row.comm), pid, startTimeNs },
      ...{ seqs: [], handshakes: 0, pids: new Set<string>() },
    }));
    if (sighting) this.#keep(this.#suspects, keyOf(pid, startTimeNs), () => sighting);
  }

  hello(hello: SurveyedHello): void {
    const { process, seq } = hello.row;
    if (!process) return;
    for (const one of [process, process.sender]) {
      if (one?.pid == null) continue;
      const key = keyOf(one.pid, one.startTimeNs);
      const suspect = this.#suspects.get(key);
      if (suspect) {
        if (suspect.handshakes === 0) [suspect.pid, suspect.startTimeNs] = [one.pid, one.startTimeNs];
        if (suspect.pids.has(key) || this.#budget.take(key.length * 4)) suspect.pids.add(key);
        count(suspect, seq);
      }
      const hidden = this.#hidden.get(key);
      if (hidden) count(hidden.sighting, seq);
    }
    if (hello.sent && process.exe !== null) this.#sent(hello, process.exe);
  }

  findings(): Finding[] {
    const found = [
      ...[...this.#hidden.values()].map(({ process, sighting }) => hiddenFinding(process, sighting)),
      ...[...this.#unusual.values()].filter(({ handshakes }) => handshakes > 0).map(unusualFinding),
      ...[...this.#browsers.values()].map(browserFinding),
      ...[...this.#stacks.values()]
        .filter(({ stacks }) => stacks.distinct.length > 1)
        .map((sighting) => stackFinding(sighting, this.#libraries.get(sighting.exe ?? '') ?? new Set())),
    ];
    return found.sort((a, b) => RANK[b.confidence] - RANK[a.confidence]);
  }

  #sent({ row, form }: SurveyedHello, path: string): void {
    if (!form || !row.fingerprints) return;
    const exe = bounded(path);
    const { pid = null, startTimeNs = null, comm = null, container = null } = row.process ?? {};
    const sighting = () => ({ exe, comm, pid, startTimeNs, seqs: [], handshakes: 0 });
    const stacks = this.#keep(this.#stacks, `${exe} ${container}`, () => ({
      ...sighting(),
      ...{ container, stacks: new TlsStacks() },
    }));
    if (stacks) {
      stacks.stacks.add(form, row.transport, row.seq);
      count(stacks, row.seq);
    }
    if (isBrowser(exe) && worldWritable(exe) === null) return;
    const likeness = browserLike(row.fingerprints);
    if (!likeness) return;
    const ja4 = row.fingerprints.ja4 ?? null;
    const browser = this.#keep(this.#browsers, `${exe} ${likeness.browser}`, () => ({
      ...sighting(),
      ...{ likeness, ja4, grease: form.shape.grease },
    }));
    if (browser) count(browser, row.seq);
  }

  #keep<V>(map: Map<string, V>, key: string, make: () => V): V | undefined {
    const known = map.get(key);
    if (known) return known;
    if (!this.#budget.take(ENTRY_BYTES + key.length * 2)) {
      this.#leftOut += 1;
      return undefined;
    }
    const made = make();
    map.set(key, made);
    return made;
  }
}

function count(sighting: Sighting, seq: number): void {
  sighting.handshakes += 1;
  if (sighting.seqs.length < MAX_SEQS) sighting.seqs.push(seq);
}

function keyOf(pid: number, startTimeNs: string | null): string {
  return `${pid} ${startTimeNs}`;
}

const RANK = { high: 2, medium: 1, low: 0 };
const MAX_SEQS = 10;
/** The largest of the entries: an executable with its stacks. */
const ENTRY_BYTES = 1000;
