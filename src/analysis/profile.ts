import type { Hit } from '../intel/hit.js';
import type { Matcher } from '../intel/matches.js';
import type { Host } from '../snapshot/schema/host.js';
import type { Process } from '../snapshot/schema/process.js';
import type { Socket } from '../snapshot/schema/socket.js';
import {
  Budget,
  DistinctValues,
  NO_EVIDENCE,
  type Evidence,
  evidenceOfHello,
  evidenceOfProcess,
} from './distinct-values.js';
import { serverNormalForm } from './normal-form.js';
import type { Observer, SurveyedHello } from './survey.js';

/** What two snapshots are compared by; docs/analysis.md says what each is, and what counts as noise in it. */
export const CATEGORIES = [
  'match',
  'fingerprint',
  'fingerprints-of-executable',
  'inbound-fingerprint',
  'server-fingerprint',
  'executable',
  'process',
  'destination',
  'server-name',
  'listening',
  'module',
  'bpf-program',
] as const;
export type Category = (typeof CATEGORIES)[number];

/** The distinct values of one snapshot, by category. */
export class Profile implements Observer {
  readonly #values: Readonly<Record<Category, DistinctValues>>;
  readonly #unknown = new Set<Category>(['module', 'bpf-program']);
  readonly #matcher: Matcher;
  readonly hits = { total: 0, high: 0, medium: 0, low: 0 };

  /** `imported`: from a capture file, which tells nothing of the host. */
  constructor(imported: boolean, matcher: Matcher, budget = new Budget()) {
    this.#values = Object.fromEntries(
      CATEGORIES.map((category) => [category, new DistinctValues(budget)]),
    ) as unknown as Record<Category, DistinctValues>;
    this.#matcher = matcher;
    if (imported) for (const category of OF_THE_HOST) this.#unknown.add(category);
  }

  values(category: Category): DistinctValues {
    return this.#values[category];
  }

  /** False where the snapshot does not tell: then nothing in it is new or gone. */
  tells(category: Category): boolean {
    return !this.#unknown.has(category);
  }

  host({ modules, bpf }: Host): void {
    if (modules) {
      this.#unknown.delete('module');
      for (const { name, size, taint } of modules.loaded) {
        this.#values.module.see(name, none, `${size} bytes${taint === null ? '' : `, taint ${taint}`}`);
      }
      for (const name of modules.onlyInSys) this.#values.module.see(`${name} (not in /proc/modules)`, none);
      for (const name of modules.onlyInProc) this.#values.module.see(`${name} (not in /sys/module)`, none);
    }
    for (const objects of [bpf?.before, bpf?.after]) {
      if (!objects) continue;
      this.#unknown.delete('bpf-program');
      for (const { type, name, tag, ours } of objects.programs) {
        if (!ours) this.#values['bpf-program'].see(`${type} ${name ?? '-'} ${tag ?? '-'}`, none);
      }
    }
  }

  process(row: Process): void {
    const evidence = () => evidenceOfProcess(row);
    if (row.exe !== null) this.#values.executable.see(row.exe, evidence, row.exeSha256);
    this.#values.process.see(commandOf(row), evidence);
    for (const hit of this.#matcher.process(row)) this.#hit(hit, evidence);
  }

  socket({ state, proto, local, remote, owners }: Socket): void {
    if (proto === 'tcp' ? state !== 'LISTEN' : remote !== null) return;
    const exes = owners.length > 0 ? [...new Set(owners.map(({ exe }) => exe))] : [null];
    for (const exe of exes) {
      const owner = owners.find((one) => one.exe === exe);
      const evidence = () => ({ ...NO_EVIDENCE, ...owner, seq: null, time: null });
      const place = `${proto} ${local.address.includes(':') ? `[${local.address}]` : local.address}`;
      // A port that the system chose is another one each time.
      if (local.port >= FIRST_DYNAMIC_PORT) {
        this.#values.listening.see(`${place}:dynamic by ${exe ?? 'unknown'}`, evidence);
      } else this.#values.listening.see(`${place}:${local.port}`, evidence, exe);
    }
  }

  hello(hello: SurveyedHello): void {
    const { row, form, sent } = hello;
    const evidence = () => evidenceOfHello(row);
    const exe = row.process?.exe ?? null;
    if (form) {
      const text = `${form.ja4} ${form.ja3}`;
      this.#values[sent ? 'fingerprint' : 'inbound-fingerprint'].see(text, evidence, exe);
      if (sent && exe !== null) this.#values['fingerprints-of-executable'].see(exe, evidence, text);
    }
    if (row.kind === 'server' && row.fingerprints?.ja3sString !== undefined) {
      this.#values['server-fingerprint'].see(serverNormalForm(row.fingerprints.ja3sString), evidence);
    }
    if (row.kind === 'client' && sent) {
      this.#values.destination.see(row.flow.dst, evidence);
      const name = row.tls?.serverName?.toLowerCase().replace(/\.$/, '');
      if (name) this.#values['server-name'].see(name, evidence);
    }
    for (const hit of this.#matcher.handshake(row)) this.#hit(hit, evidence);
  }

  #hit({ feed, indicator, confidence, process }: Hit, evidence: () => Evidence): void {
    this.hits[confidence] += 1;
    this.hits.total += 1;
    const by = process?.exe ?? process?.comm;
    const what = `${indicator.type} ${indicator.value} (${feed}, line ${indicator.line}: ${indicator.description})`;
    this.#values.match.see(by ? `${what} by ${by}` : what, evidence);
  }
}

/** Executable and arguments; what the process calls itself only where it is another name. */
export function commandOf({ exe, comm, cmdline }: Pick<Process, 'exe' | 'comm' | 'cmdline'>): string {
  const file = exe ?? `[${comm ?? '?'}]`;
  if (!cmdline || cmdline.length === 0) return file + UNKNOWN_ARGUMENTS;
  const [self = '', ...words] = cmdline;
  const renamed = baseName(self) !== baseName(file) ? [`(as ${quoted(self)})`] : [];
  return [file, ...renamed, ...words.map(quoted)].join(' ');
}

function quoted(word: string): string {
  return /^[^\s"']+$/.test(word) ? word : JSON.stringify(word);
}

function baseName(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}

/** Behind an executable whose arguments nobody could read before it was gone. */
export const UNKNOWN_ARGUMENTS = ' (arguments unknown)';
const none = (): Evidence => NO_EVIDENCE;
/** First of the ports that Linux gives out by itself (net.ipv4.ip_local_port_range). */
const FIRST_DYNAMIC_PORT = 32_768;
const OF_THE_HOST: readonly Category[] = [
  'fingerprints-of-executable',
  'inbound-fingerprint',
  'executable',
  'process',
  'listening',
];
