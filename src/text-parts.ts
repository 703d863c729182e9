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

/** All texts of a list as UTF-8, one behind the other. */
export function bytesOfTexts(texts: readonly (readonly TextPart[])[]): Buffer<ArrayBuffer> {
  let most = 0;
  for (const parts of texts) most += mostBytes(parts);
  const bytes = Buffer.allocUnsafeSlow(most);
  let end = 0;
  for (const parts of texts) end = writeParts(bytes, end, parts);
  return bytes.subarray(0, end);
}
