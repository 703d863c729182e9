/** One direction of a byte stream, put in order from pieces that come in any order. */

export interface StreamAssemblerOptions {
  /** Offset of the first byte that is wanted; what lies before it is dropped. */
  readonly start?: number;
  /** Bytes kept beyond a hole; over this the hole is given up. */
  readonly maxPendingBytes?: number;
  /** Pieces kept beyond a hole. */
  readonly maxPendingPieces?: number;
}

/** Bytes in their place. A run that starts beyond the end of the one before it stands behind a hole that was given up. */
export interface StreamRun {
  readonly offset: number;
  readonly bytes: Uint8Array;
}

/**
 * Orders the bytes of one direction by their absolute stream offset. Of bytes that come twice the first seen win, as in most
 * receivers. In order, a piece is handed on as it came, uncopied; a piece beyond a hole is copied, so that the caller's buffer is free.
 */
export class StreamAssembler {
  /** Offset up to which everything was handed on or given up. */
  nextOffset: number;
  /** Bytes waiting beyond a hole. */
  pendingBytes = 0;
  /** Bytes that were seen before, and therefore dropped. */
  duplicateBytes = 0;
  /** Pieces that said something else than a waiting piece in the same place. What was handed on already cannot be compared. */
  conflictingOverlaps = 0;
  /** Bytes of holes that were given up. */
  missingBytes = 0;

  readonly #maxPendingBytes: number;
  readonly #maxPendingPieces: number;
  /** Sorted by offset, without overlap. */
  #pending: StreamRun[] = [];

  constructor(options: StreamAssemblerOptions = {}) {
    this.nextOffset = options.start ?? 0;
    this.#maxPendingBytes = options.maxPendingBytes ?? 128 * 1024;
    this.#maxPendingPieces = options.maxPendingPieces ?? 1024;
  }

  /** Takes a piece and returns the runs that are now in order, mostly none or one. */
  push(offset: number, bytes: Uint8Array): StreamRun[] {
    if (bytes.length === 0) return [];
    if (offset === this.nextOffset && this.#pending.length === 0) {
      this.nextOffset += bytes.length;
      return [{ offset, bytes }];
    }
    if (offset < this.nextOffset) {
      const seen = Math.min(this.nextOffset - offset, bytes.length);
      this.duplicateBytes += seen;
      if (seen === bytes.length) return [];
      return this.#insert(this.nextOffset, bytes.subarray(seen));
    }
    return this.#insert(offset, bytes);
  }

  /** Gives up the first hole and returns what lies behind it; the end of the input, or a hole that will not be filled. */
  skipHole(): StreamRun[] {
    const first = this.#pending[0];
    if (first === undefined) return [];
    this.missingBytes += first.offset - this.nextOffset;
    this.nextOffset = first.offset;
    return this.#takeContiguous([]);
  }

  /** Gives up every hole. */
  flush(): StreamRun[] {
    const runs: StreamRun[] = [];
    while (this.#pending.length > 0) runs.push(...this.skipHole());
    return runs;
  }

  #insert(offset: number, bytes: Uint8Array): StreamRun[] {
    const runs: StreamRun[] = [];
    let [at, rest] = [offset, bytes];
    let index = this.#firstEndingAfter(at);
    // Each turn keeps the part before the next waiting piece, and compares and drops the part under it.
    while (rest.length > 0) {
      const next = this.#pending[index];
      const free = next === undefined ? rest.length : Math.min(rest.length, next.offset - at);
      if (free > 0) {
        if (at === this.nextOffset) this.#handOn(runs, at, rest.subarray(0, free));
        else this.#wait(index++, at, rest.subarray(0, free));
        [at, rest] = [at + free, rest.subarray(free)];
      }
      if (next === undefined || rest.length === 0) break;
      const covered = Math.min(rest.length, next.offset + next.bytes.length - at);
      this.#compare(next, at, rest.subarray(0, covered));
      [at, rest] = [at + covered, rest.subarray(covered)];
      index++;
    }
    this.#takeContiguous(runs);
    while (this.pendingBytes > this.#maxPendingBytes || this.#pending.length > this.#maxPendingPieces) {
      runs.push(...this.skipHole());
    }
    return runs;
  }

  /** Index of the first waiting piece that ends after `offset`. */
  #firstEndingAfter(offset: number): number {
    let low = 0;
    let high = this.#pending.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      const piece = this.#pending[middle];
      if (piece !== undefined && piece.offset + piece.bytes.length <= offset) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #handOn(runs: StreamRun[], offset: number, bytes: Uint8Array): void {
    runs.push({ offset, bytes });
    this.nextOffset += bytes.length;
  }

  /** Copies; slice() of a Buffer would not. */
  #wait(index: number, offset: number, bytes: Uint8Array): void {
    this.#pending.splice(index, 0, { offset, bytes: new Uint8Array(bytes) });
    this.pendingBytes += bytes.length;
  }

  #compare(piece: StreamRun, offset: number, bytes: Uint8Array): void {
    this.duplicateBytes += bytes.length;
    const shift = offset - piece.offset;
    for (let at = 0; at < bytes.length; at++) {
      if (bytes[at] === piece.bytes[shift + at]) continue;
      this.conflictingOverlaps++;
      return;
    }
  }

  #takeContiguous(runs: StreamRun[]): StreamRun[] {
    let taken = 0;
    for (const piece of this.#pending) {
      if (piece.offset !== this.nextOffset) break;
      runs.push(piece);
      this.nextOffset += piece.bytes.length;
      this.pendingBytes -= piece.bytes.length;
      taken++;
    }
    if (taken > 0) this.#pending = this.#pending.slice(taken);
    return runs;
  }
}
