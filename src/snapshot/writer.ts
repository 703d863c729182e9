import { createHash } from 'node:crypto';
import { closeSync, openSync, readSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { ioError, TlsnapError } from '../errors.js';
import { MAX_DOCUMENT_BYTES } from './bounds.js';
import { encryptedName, type Recipients } from './encryption.js';
import { folderName } from './file-name.js';
import { BODY_ORDER, EXECUTABLES, HOST, MANIFEST, SIGNATURE, SIGNER, type StagedMember, TIMELINE } from './members.js';
import { createOutput, type Output } from './output.js';
import type { PackEntry } from './pack.js';
import { RowFile } from './row-file.js';
import type { Action } from './schema/action.js';
import type { Fingerprint } from './schema/fingerprint.js';
import type { Host } from './schema/host.js';
import { FORMAT_VERSION } from './schema/format-version.js';
import type { Manifest, MemberEntry, SnapshotFacts } from './schema/manifest.js';
import type { Process } from './schema/process.js';
import type { Socket } from './schema/socket.js';
import type { Signer } from './signer.js';
import { PlainBytes } from './staged-bytes.js';
import { fingerprintOf, keyTypeOf, publicKeyLine } from './ssh-key.js';
import { NAMESPACE, signSshsig } from './sshsig.js';
import { memberTime } from './tar-header.js';
import { TimelineFile } from './timeline-file.js';

export interface WriterOptions {
  /** The snapshot's path, which must not exist, or `-` for stdout. */
  readonly output: string;
  /** An existing folder of the caller's, mode 0700, on a disk with room for every member uncompressed. */
  readonly staging: string;
  /** Encrypts to them, and adds `.age` to the output's name; nobody, and in the clear, without. */
  readonly encryptTo?: Recipients;
}

export interface WrittenSnapshot {
  /** `-` for stdout. */
  readonly path: string;
  /** Bytes of the file. */
  readonly size: number;
  /** What is read into the case notes: it stands for everything in the snapshot. */
  readonly manifestSha256: string;
  readonly manifest: Manifest;
}

/** A member to which rows are added one by one. One that is too long for a line is shortened, or left out and counted. */
export interface RowSink<Row extends object> {
  add(row: Row): void;
  /** A row that is JSON text already, in one line. */
  addJson(json: string): void;
  readonly rows: number;
}

/** The timeline while it is staged, by whomever. */
export interface StagedTimeline {
  /** Brings the lines into order of time, and closes. */
  finish(): StagedMember | Promise<StagedMember>;
  /** Closes without finishing. May be called twice. */
  close(): void;
}

/**
 * Writes a snapshot: members are staged as files, then packed, signed and put under their final name.
 * Every method may throw a TlsnapError of kind `io`; the staged members are kept then, and nothing lies under the name.
 */
export class SnapshotWriter<Timeline extends StagedTimeline = TimelineFile> {
  readonly handshakes: Timeline;
  readonly fingerprints: RowSink<Fingerprint>;
  readonly processes: RowSink<Process>;
  readonly sockets: RowSink<Socket>;
  readonly actions: RowSink<Action>;
  readonly #output: Output;
  readonly #staging: string;
  readonly #recipients: Recipients;
  readonly #files: Map<string, RowFile>;
  readonly #executables = new Map<string, MemberEntry>();

  /** Fails at once where the output exists or its folder cannot be written, or where `staging` holds members already. */
  static create(options: WriterOptions): SnapshotWriter {
    return SnapshotWriter.createAround((path) => new TimelineFile(path), options);
  }

  /** The same around a timeline that is staged elsewhere, in the file at `path`. */
  static createAround<Timeline extends StagedTimeline>(
    timeline: (path: string) => Timeline,
    { output, staging, encryptTo = [] }: WriterOptions,
  ): SnapshotWriter<Timeline> {
    return new SnapshotWriter(createOutput(encryptedName(output, encryptTo)), timeline, staging, encryptTo);
  }

  private constructor(output: Output, timeline: (path: string) => Timeline, staging: string, recipients: Recipients) {
    this.#output = output;
    this.#recipients = recipients;
    this.#staging = staging;
    const rowFile = (path: string) => new RowFile(join(staging, path));
    this.handshakes = timeline(join(staging, TIMELINE));
    const fingerprints = rowFile('fingerprints.ndjson');
    const processes = rowFile('processes.ndjson');
    const sockets = rowFile('sockets.ndjson');
    const actions = rowFile('actions.ndjson');
    this.fingerprints = fingerprints;
    this.processes = processes;
    this.sockets = sockets;
    this.actions = actions;
    this.#files = new Map([
      ['fingerprints.ndjson', fingerprints],
      ['processes.ndjson', processes],
      ['sockets.ndjson', sockets],
      ['actions.ndjson', actions],
    ]);
  }

  /** The host's state, once; a snapshot of an imported capture has none. */
  host(host: Host): void {
    const path = join(this.#staging, HOST);
    const file = new RowFile(path, new PlainBytes(path), MAX_DOCUMENT_BYTES);
    this.#files.set(HOST, file);
    file.add(host);
  }

  /** How many rows so far, `host.json` among them, were too long for their member: their lists were cut, or they were left out. */
  get tooLong(): { readonly shortened: number; readonly leftOut: number } {
    const files = [...this.#files.values()];
    return {
      shortened: files.reduce((sum, file) => sum + file.shortened, 0),
      leftOut: files.reduce((sum, file) => sum + file.leftOut, 0),
    };
  }

  /**
   * Copies the executable at `path`, whose SHA-256 the caller has seen, unless it is in the snapshot already.
   * A file that has become another one since is refused with kind `input`.
   */
  executable(sha256: string, path: string): void {
    const member = `${EXECUTABLES}${sha256}`;
    if (this.#executables.has(member)) return;
    const staged = join(this.#staging, sha256);
    const entry = copyHashed(path, staged);
    if (entry.sha256 !== sha256) {
      rmSync(staged);
      throw new TlsnapError('input', path, `has SHA-256 ${entry.sha256} now, and had ${sha256} when it was seen`);
    }
    this.#executables.set(member, { path: member, ...entry });
  }

  /** Packs, signs and names the snapshot, then removes what was staged. */
  async finish(facts: SnapshotFacts, signer: Signer): Promise<WrittenSnapshot> {
    // Whoever fills a snapshot starts without the archiver, which is loaded while the timeline's last rows are made.
    const [members] = await Promise.all([this.#finishMembers(), import('./pack.js')]);
    const manifest: Manifest = {
      format: 'tlsnap',
      formatVersion: FORMAT_VERSION,
      ...facts,
      signer: {
        source: signer.source,
        type: keyTypeOf(signer.publicKey),
        fingerprint: fingerprintOf(signer.publicKey),
        comment: signer.comment,
      },
      members: members.map(({ path, size, sha256 }) => ({ path, size, sha256 })),
    };
    const manifestBytes = Buffer.from(`${JSON.stringify(manifest, null, 2)}\n`);
    const head: PackEntry[] = [
      { path: MANIFEST, content: manifestBytes },
      { path: SIGNATURE, content: Buffer.from(await signSshsig(signer, manifestBytes, NAMESPACE)) },
      { path: SIGNER, content: Buffer.from(`${publicKeyLine(signer.publicKey)}\n`) },
    ];
    const staged = members.map(({ path, size, deflated }): PackEntry => {
      return { path, content: deflated ? { size, deflated } : { file: this.#stagedPath(path) } };
    });
    const size = await this.#pack(this.#output.isStdout ? [...staged, ...head] : [...head, ...staged], facts);
    for (const { path, deflated } of members) rmSync(deflated?.path ?? this.#stagedPath(path), { force: true });
    const manifestSha256 = createHash('sha256').update(manifestBytes).digest('hex');
    return { path: this.#output.path, size, manifestSha256, manifest };
  }

  /** Closes what is open and leaves the staged members where they are. May be called twice, and after `finish`. */
  close(): void {
    this.handshakes.close();
    for (const file of this.#files.values()) file.close();
  }

  async #finishMembers(): Promise<FinishedMember[]> {
    const timeline = await this.handshakes.finish();
    const fixed = BODY_ORDER.flatMap((path): FinishedMember[] => {
      if (path === TIMELINE) return [{ path, ...timeline }];
      const file = this.#files.get(path);
      return file ? [{ path, ...file.finish() }] : [];
    });
    const executables = [...this.#executables.values()].sort((a, b) => (a.path < b.path ? -1 : 1));
    return [...fixed, ...executables];
  }

  async #pack(entries: readonly PackEntry[], facts: SnapshotFacts): Promise<number> {
    try {
      const time = new Date(memberTime(facts.window.end) * 1000);
      const { pack } = await import('./pack.js');
      const size = await pack(folderName(facts), entries, time, this.#output.open(), this.#recipients);
      this.#output.commit();
      return size;
    } catch (error) {
      this.#output.abandon();
      throw ioError(this.#output.path, error);
    }
  }

  #stagedPath(member: string): string {
    return join(this.#staging, member.startsWith(EXECUTABLES) ? member.slice(EXECUTABLES.length) : member);
  }
}

type FinishedMember = StagedMember & { readonly path: string };

function copyHashed(from: string, to: string): { size: number; sha256: string } {
  let source: number | undefined;
  let target: number | undefined;
  const hash = createHash('sha256');
  const buffer = Buffer.allocUnsafe(1024 * 1024);
  try {
    source = openSync(from, 'r');
    target = openSync(to, 'wx', 0o600);
    let size = 0;
    for (;;) {
      const read = readSync(source, buffer);
      if (read === 0) return { size, sha256: hash.digest('hex') };
      hash.update(buffer.subarray(0, read));
      writeAll(target, buffer.subarray(0, read), to);
      size += read;
    }
  } catch (error) {
    throw ioError(from, error);
  } finally {
    if (source !== undefined) closeSync(source);
    if (target !== undefined) closeSync(target);
  }
}

function writeAll(fd: number, bytes: Uint8Array, path: string): void {
  try {
    for (let at = 0; at < bytes.length;) at += writeSync(fd, bytes, at);
  } catch (error) {
    throw ioError(path, error);
  }
}
