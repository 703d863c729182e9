import type { SentError } from '../errors.js';
import type { ReportTable } from '../report/formats.js';
import type { MarkedLines } from '../report/renderer.js';

export interface LineSettings {
  readonly table: ReportTable;
  /** The snapshot's name, for messages. */
  readonly snapshot: string;
}

/** Some lines, to be rendered; the bytes change hands. */
export interface ToLines {
  readonly bytes: ArrayBuffer;
  /** Bytes of them that are lines. */
  readonly used: number;
  readonly before: number;
  readonly hits: MarkedLines['hits'];
}

export type FromLines =
  /** What they became; `spare` is where they came in, and may be filled again. */
  | {
      readonly kind: 'rendered';
      readonly bytes: Uint8Array<ArrayBuffer>;
      readonly rows: number;
      readonly spare: ArrayBuffer;
    }
  | { readonly kind: 'failed'; readonly error: SentError };
