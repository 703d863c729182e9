import { createHash } from 'node:crypto';
import { TlsnapError } from '../errors.js';
import { readContainer, type Member } from './container.js';
import { type Identities, NO_IDENTITIES, snapshotSource } from './decryption.js';
import { handshakeExcerpt, type HandshakeExcerpt } from './handshake-excerpt.js';
import { parseHost, parseManifest } from './manifest-file.js';
import { HOST, MANIFEST, type RowMember } from './members.js';
import { type Excerpt, endingFault, type OnLineFault, RowParser } from './row-parser.js';
import type { Host } from './schema/host.js';
import type { Manifest } from './schema/manifest.js';
import { rowCheck, type Rows } from './schema/validators.js';
import { inflate, requireGzip, type SnapshotSource } from './source.js';
import { WholeLines } from './whole-lines.js';

/** Some rows of one member, in the order of the file. */
export type Batch<Wanted extends RowMember = RowMember> = {
  [Name in Wanted]: { readonly member: Name; readonly rows: Rows[Name][] };
}[Wanted];

/** Some lines of a member, back to back, each with its end. */
export interface Lines {
  readonly member: RowMember;
  readonly bytes: Buffer;
  /** How many lines are in front of them. */
  readonly before: number;
}

/** What a comparison with feeds reads. */
export type ExcerptBatch =
  { readonly member: 'handshakes'; readonly rows: readonly HandshakeExcerpt[] } | Batch<'processes'>;

/** An opened snapshot. Nothing of it is written to disk, and never more than a few chunks are in memory. */
export interface Snapshot {
  readonly name: string;
  readonly manifest: Manifest;
  /** The digest that was printed when the snapshot was made, in lowercase hex. */
  readonly manifestSha256: string;
  /** The rows of one member. */
  rows<Name extends RowMember>(member: Name): AsyncGenerator<Rows[Name][], void>;
  /**
   * The rows of several members in one pass over the file, in the order of the file: handshakes, fingerprints,
   * processes, sockets, actions. A pass has to inflate everything before the last wanted member, so prefer this to
   * several calls of `rows`.
   */
  batches<Wanted extends RowMember>(wanted: readonly Wanted[]): AsyncGenerator<Batch<Wanted>, void>;
  /** Handshakes, or less of them, and processes: the same rows as from `batches`, with the same checks, sooner. */
  excerpts(): AsyncGenerator<ExcerptBatch, void>;
  /** The lines of several members, as `batches` gives their rows. Nobody has looked at what they say: a RowParser does. */
  lines(wanted: readonly RowMember[]): AsyncGenerator<Lines, void>;
  /** `host.json`; null for an imported capture. */
  host(): Promise<Host | null>;
}

/**
 * Opens a snapshot, which may have been made to do harm. Opening and reading throw a TlsnapError of kind `input` that
 * names the member and the place (and `io` where the file cannot be read): structure, names, sizes, schema and digests
 * are checked while it is read. The signature and the fingerprints are not; that is `verifySnapshot`'s work.
 * An encrypted snapshot is decrypted as it is read, anew for each pass.
 */
export async function openSnapshot(path: string, identities: Identities = NO_IDENTITIES): Promise<Snapshot> {
  const source = await snapshotSource(path, identities);
  await requireGzip(source);
  return openSource(source);
}

/** The same for a snapshot that is not a file. */
export async function openSource(source: SnapshotSource): Promise<Snapshot> {
  const bytes = await readDocument(source, MANIFEST);
  if (!bytes) throw new TlsnapError('input', source.name, 'not a snapshot: it has no manifest.json');
  const manifest = parseManifest(bytes, `${source.name}, ${MANIFEST}`);
  const batches = <Wanted extends RowMember>(wanted: readonly Wanted[]) => readBatches(source, manifest, wanted);
  return {
    name: source.name,
    manifest,
    manifestSha256: createHash('sha256').update(bytes).digest('hex'),
    batches,
    excerpts: () => readBatches(source, manifest, ['handshakes', 'processes'], { handshakes: handshakeExcerpt() }),
    lines: async function* (wanted) {
      const cutter = (member: RowMember, onFault: OnLineFault) => new LineCutter(member, onFault);
      for await (const { items } of readMembers(source, manifest, wanted, cutter)) yield* items;
    },
    rows: async function* (member) {
      for await (const { rows } of batches([member])) yield rows;
    },
    host: async () => {
      if (!manifest.members.some(({ path }) => path === HOST)) return null;
      const host = await readDocument(source, HOST, manifest);
      if (!host) throw missing(source.name, HOST);
      return parseHost(host, `${source.name}, ${HOST}`);
    },
  };
}

async function* readBatches<Wanted extends RowMember>(
  source: SnapshotSource,
  manifest: Manifest,
  wanted: readonly Wanted[],
  excerpts: { readonly [Name in RowMember]?: Excerpt<unknown> } = {},
): AsyncGenerator<Batch<Wanted>, void> {
  const parserOf = (name: Wanted, onFault: OnLineFault) =>
    new RowParser<unknown>(rowCheck(name), onFault, excerpts[name]);
  for await (const { member, items } of readMembers(source, manifest, wanted, parserOf)) {
    yield { member, rows: items } as unknown as Batch<Wanted>;
  }
}

/** Takes a member in pieces. */
interface Taker<Item> {
  /** What the piece completes; the piece is not kept. */
  push(bytes: Buffer): Item[];
  finish(): void;
}

/** What the takers make of the wanted members, in the order of the file, each with its digest checked at its end. */
async function* readMembers<Wanted extends RowMember, Item>(
  source: SnapshotSource,
  manifest: Manifest,
  wanted: readonly Wanted[],
  takerOf: (name: Wanted, onFault: OnLineFault) => Taker<Item>,
): AsyncGenerator<{ member: Wanted; items: Item[] }, void> {
  const open = new Set<string>(wanted.map((member) => `${member}.ndjson`));
  let current: { name: Wanted; taker: Taker<Item>; digest: Digest } | undefined;
  for await (const events of readContainer(source.name, inflate(source))) {
    for (const event of events) {
      const { path } = event.member;
      if (event.kind === 'start') {
        if (!open.has(path)) continue;
        const name = path.slice(0, -'.ndjson'.length) as Wanted;
        const onFault = endingFault(source.name, name);
        current = { name, taker: takerOf(name, onFault), digest: new Digest(source.name, event.member, manifest) };
      }
      if (!current) continue;
      if (event.kind === 'data') {
        current.digest.update(event.bytes);
        const items = current.taker.push(event.bytes);
        if (items.length > 0) yield { member: current.name, items };
      }
      if (event.kind === 'end') {
        current.taker.finish();
        current.digest.check();
        current = undefined;
        open.delete(path);
        if (open.size === 0) return;
      }
    }
  }
  for (const path of open) throw missing(source.name, path);
}

class LineCutter implements Taker<Lines> {
  readonly #member: RowMember;
  readonly #lines: WholeLines;
  #before = 0;

  constructor(member: RowMember, onFault: OnLineFault) {
    this.#member = member;
    this.#lines = new WholeLines((problem) => onFault(this.#before + 1, problem));
  }

  push(piece: Buffer): Lines[] {
    const cut: Lines[] = [];
    for (const bytes of this.#lines.push(piece)) {
      cut.push({ member: this.#member, bytes, before: this.#before });
      for (let at = bytes.indexOf(NEWLINE); at !== -1; at = bytes.indexOf(NEWLINE, at + 1)) this.#before += 1;
    }
    return cut;
  }

  finish(): void {
    this.#lines.finish();
  }
}

async function readDocument(source: SnapshotSource, wanted: string, manifest?: Manifest): Promise<Buffer | undefined> {
  const pieces: Buffer[] = [];
  for await (const events of readContainer(source.name, inflate(source))) {
    for (const event of events) {
      if (event.member.path !== wanted) continue;
      if (event.kind === 'data') pieces.push(Buffer.from(event.bytes));
      if (event.kind !== 'end') continue;
      const bytes = Buffer.concat(pieces);
      if (manifest) {
        const digest = new Digest(source.name, event.member, manifest);
        digest.update(bytes);
        digest.check();
      }
      return bytes;
    }
  }
  return undefined;
}

/** A member's digest against the one in the manifest, which the signature covers. */
class Digest {
  readonly #place: string;
  readonly #expected: string | undefined;
  readonly #hash = createHash('sha256');

  constructor(name: string, member: Member, manifest: Manifest) {
    this.#place = `${name}, ${member.path}`;
    this.#expected = manifest.members.find(({ path }) => path === member.path)?.sha256;
  }

  update(bytes: Buffer): void {
    this.#hash.update(bytes);
  }

  check(): void {
    if (this.#hash.digest('hex') === this.#expected) return;
    throw new TlsnapError('input', this.#place, 'does not have the digest that the manifest gives', [
      'Run tlsnap verify on the snapshot.',
    ]);
  }
}

function missing(name: string, path: string): TlsnapError {
  return new TlsnapError('input', `${name}, ${path}`, 'is missing', ['Run tlsnap verify on the snapshot.']);
}

const NEWLINE = 0x0a;
