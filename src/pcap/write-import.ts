import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import type { Readable } from 'node:stream';
import { setFlagsFromString } from 'node:v8';
import { ioError } from '../errors.js';
import { checkRecipients, type Recipients } from '../snapshot/encryption.js';
import type { SnapshotFacts } from '../snapshot/schema/manifest.js';
import type { Signer } from '../snapshot/signer.js';
import { SnapshotWriter, type WrittenSnapshot } from '../snapshot/writer.js';
import { openByteSource } from './file/byte-source.js';
import { RowThread } from './hello/row-thread.js';
import { type ImportedCapture, importCapture } from './import-capture.js';

export interface ImportOptions {
  /** A capture file, or `-` for standard input. */
  readonly input: string;
  readonly stdin: Readable;
  /** The snapshot to write, which must not exist, or `-` for standard output. */
  readonly output: string;
  readonly signer: Signer;
  readonly encryptTo?: Recipients;
  readonly case: SnapshotFacts['case'];
  readonly toolVersion: string;
  /** Ends the reading early; what was read until then becomes the snapshot. */
  readonly signal?: AbortSignal;
  /** Told from time to time how much of the capture is read; `size` is null where that is not known. */
  readonly progress?: (bytes: number, size: number | null) => void;
}

export interface ImportResult extends ImportedCapture {
  readonly snapshot: WrittenSnapshot;
}

/** Makes a snapshot of the hellos in a capture. Throws TlsnapError; nothing is left behind then. */
export async function writeImport(options: ImportOptions): Promise<ImportResult> {
  const { input, output, signer, encryptTo = [], progress } = options;
  setFlagsFromString(COLLECTOR_FLAG);
  await checkRecipients(encryptTo);
  const source = await openByteSource(input, options.stdin, options.signal);
  try {
    const staging = await makeStaging(output);
    try {
      const writer = SnapshotWriter.createAround((path) => new RowThread(path), { output, staging, encryptTo });
      try {
        const imported = await importCapture(source, writer.handshakes, (bytes) => progress?.(bytes, source.size));
        const snapshot = await writer.finish(manifestFacts(imported, options), signer);
        return { ...imported, snapshot };
      } finally {
        writer.close();
        await writer.handshakes.ended();
      }
    } finally {
      await rm(staging, { recursive: true, force: true });
    }
  } finally {
    await source.close();
  }
}

function manifestFacts({ facts }: ImportedCapture, options: ImportOptions): SnapshotFacts {
  return {
    tool: { name: 'tlsnap', version: options.toolVersion },
    source: 'pcap',
    case: options.case,
    host: null,
    ...facts,
    clocks: null,
    tier: null,
    features: [],
    chain: null,
    recovered: null,
  };
}

/** Beside the snapshot, where there is room for it; a snapshot to standard output is staged where temporary files go. */
async function makeStaging(output: string): Promise<string> {
  const folder = output === '-' ? tmpdir() : dirname(resolve(output));
  try {
    return await mkdtemp(join(folder, '.tlsnap-import-'));
  } catch (error) {
    throw ioError(folder, error);
  }
}

/** docs/adr/0028: what is old may grow by half of what was alive in it, not to four times that. */
const COLLECTOR_FLAG = '--heap-growing-percent=50';
