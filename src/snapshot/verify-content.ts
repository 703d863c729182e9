import { createHash, type Hash } from 'node:crypto';
import { TlsnapError } from '../errors.js';
import { type ContainerEvent, type Member, readContainer } from './container.js';
import type { GzipMember } from './gzip-member.js';
import { parseHost } from './manifest-file.js';
import { HOST, MANIFEST, ROW_MEMBERS, type RowMember, SIGNATURE, SIGNER } from './members.js';
import { RowParser } from './row-parser.js';
import type { Handshake } from './schema/handshake.js';
import { rowCheck } from './schema/validators.js';
import { inflate, type SnapshotSource } from './source.js';
import type { Findings } from './verification.js';
import { TimelineVerifier } from './verify-timeline.js';

/** What was met of one member. */
export interface SeenMember extends Member {
  readonly sha256: string;
}

/** Reads a snapshot once from front to end: digests of all members, schema of all rows, the timeline. */
export class ContentVerifier {
  /** In the order of the file. */
  readonly members = new Map<string, SeenMember>();
  /** The members that the signature is about, whole. */
  readonly documents = new Map<string, Buffer>();
  readonly timeline: TimelineVerifier;
  /** The top folder. */
  folder: string | undefined;
  /** Whether the end of the file was reached; where not, a member that is missing says nothing. */
  complete = false;
  /** The gzip member that the tar is in, once its end was reached. */
  gzip: GzipMember | undefined;
  #rows = 0;
  readonly #findings: Findings;

  constructor(findings: Findings) {
    this.#findings = findings;
    this.timeline = new TimelineVerifier(findings);
  }

  /** Returns what ended the reading early. Throws what is not the snapshot's fault. */
  async read(source: SnapshotSource): Promise<TlsnapError | undefined> {
    const reader = new MemberReader(this.#findings, this.timeline);
    const deviation = (place: string, problem: string) => this.#findings.add('container', place, problem);
    const inflated = inflate(source, { onMember: (member) => (this.gzip = member) });
    try {
      for await (const events of readContainer(source.name, inflated, deviation)) {
        for (const event of events) this.#take(event, reader);
      }
    } catch (error) {
      if (error instanceof TlsnapError && error.kind === 'input') return error;
      throw error;
    }
    this.complete = true;
    this.#findings.passed('schema', `${this.#rows} rows of ${ROW_MEMBERS.length} members`);
    if (this.timeline.stopped) return undefined;
    this.#findings.passed('timeline', `${this.timeline.rows} handshakes in order of time`);
    this.#findings.passed('fingerprints', `${this.timeline.derived} derived anew from the raw bytes, all equal`);
    return undefined;
  }

  #take(event: ContainerEvent, reader: MemberReader): void {
    this.folder = event.member.folder;
    if (event.kind === 'start') reader.start(event.member);
    else if (event.kind === 'data') reader.push(event.bytes);
    else {
      const { sha256, rows, document } = reader.end();
      this.#rows += rows;
      this.members.set(event.member.path, { ...event.member, sha256 });
      if (document) this.documents.set(event.member.path, document);
    }
  }
}

/** Takes one member after the other. */
class MemberReader {
  readonly #findings: Findings;
  readonly #timeline: TimelineVerifier;
  #path = '';
  #hash: Hash = createHash('sha256');
  #rows: RowParser<object> | undefined;
  #document: Buffer[] | undefined;

  constructor(findings: Findings, timeline: TimelineVerifier) {
    this.#findings = findings;
    this.#timeline = timeline;
  }

  start({ path }: Member): void {
    this.#path = path;
    this.#hash = createHash('sha256');
    this.#document = WHOLE.includes(path) ? [] : undefined;
    this.#rows = (ROW_MEMBERS as readonly string[]).includes(path)
      ? this.#rowParser(path.slice(0, -'.ndjson'.length) as RowMember)
      : undefined;
  }

  push(bytes: Buffer): void {
    this.#hash.update(bytes);
    this.#document?.push(Buffer.from(bytes));
    const rows = this.#rows?.push(bytes) ?? [];
    if (this.#path === 'handshakes.ndjson') for (const row of rows) this.#timeline.add(row as Handshake);
  }

  end(): { sha256: string; rows: number; document: Buffer | undefined } {
    this.#rows?.finish();
    const document = this.#document && Buffer.concat(this.#document);
    if (document && this.#path === HOST) this.#checkHost(document);
    return { sha256: this.#hash.digest('hex'), rows: this.#rows?.lines ?? 0, document };
  }

  /** Stops at a number of faults: a blank line costs as much as half a row does, and a small file can hold billions of them. */
  #rowParser(name: RowMember): RowParser<object> {
    let faults = 0;
    const place = (line: number) => `${name}.ndjson line ${line}`;
    const parser = new RowParser<object>(rowCheck(name), (line, problem) => {
      this.#findings.add('schema', place(line), problem);
      faults += 1;
      if (faults < MAX_FAULTS) return;
      this.#findings.add('schema', place(line), `the ${faults}th line that is no row; what follows was not looked at`);
      parser.stop();
      if (name === 'handshakes') this.#timeline.stop();
    });
    return parser;
  }

  #checkHost(document: Buffer): void {
    try {
      parseHost(document, HOST);
    } catch (error) {
      if (!(error instanceof TlsnapError)) throw error;
      this.#findings.add('schema', error.subject, error.detail);
    }
  }
}

/** So few that what all members have together is kept and told. */
const MAX_FAULTS = 16;
const WHOLE: readonly string[] = [MANIFEST, SIGNATURE, SIGNER, HOST];
