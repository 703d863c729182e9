/** A piece of a text, as text or as UTF-8: what many texts have alike is encoded once, and then copied. */
export type TextPart = string | Uint8Array;

/** How many bytes the parts have at most: a UTF-16 unit becomes three or less. */
export function mostBytes(parts: readonly TextPart[]): number {
  let most = 0;
  for (const part of parts) most += typeof part === 'string' ? part.length * 3 : part.length;
  return most;
}

/** Writes the parts at `at`, where there must be room for the most they can have; returns where they end. */
export function writeParts(buffer: Buffer, at: number, parts: readonly TextPart[]): number {
  let end = at;
  for (const part of parts) {
    if (typeof part === 'string') end += buffer.write(part, end);
    else {
      buffer.set(part, end);
      end += part.length;
    }
  }
  return end;
}

/** Texts as UTF-8, one behind the other. */
export class TextBytes {
  #bytes: Buffer<ArrayBuffer>;
  #end = 0;

  /** @param room bytes to begin with; it grows */
  constructor(room: number) {
    this.#bytes = Buffer.allocUnsafeSlow(room);
  }

  add(parts: readonly TextPart[]): void {
    const most = mostBytes(parts);
    if (most > this.#bytes.length - this.#end) this.#grow(most);
    this.#end = writeParts(this.#bytes, this.#end, parts);
  }

  /** What was added; nothing more may be. */
  bytes(): Buffer<ArrayBuffer> {
    return this.#bytes.subarray(0, this.#end);
  }

  #grow(least: number): void {
    const grown = Buffer.allocUnsafeSlow(this.#bytes.length * 2 + least);
    this.#bytes.copy(grown, 0, 0, this.#end);
    this.#bytes = grown;
  }
}
