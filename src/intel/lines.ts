import { isAscii } from 'node:buffer';

/** One line of a text feed. */
export interface FeedLine {
  /** 1-based. */
  readonly number: number;
  /** Without its end, LF or CRLF. */
  readonly text: string;
}

/**
 * The lines of a feed in UTF-8, without its empty ones.
 * @param onBroken told of each line that is too long or holds a NUL, which is then left out; `text` is its start
 */
export function* feedLines(
  bytes: Buffer,
  onBroken: (line: number, text: string, reason: string) => void,
): Generator<FeedLine> {
  // Decoding is sooner where there is nothing to decode, and most feeds have no other character and no NUL.
  const encoding = isAscii(bytes) ? 'latin1' : 'utf8';
  const hasNul = bytes.includes(0);
  let number = 0;
  for (let start = 0; start < bytes.length;) {
    const found = bytes.indexOf(0x0a, start);
    const next = found === -1 ? bytes.length : found;
    const end = next > start && bytes[next - 1] === 0x0d ? next - 1 : next;
    number++;
    if (end - start > MAX_LINE_BYTES) {
      onBroken(number, bytes.toString('utf8', start, start + 200), `the line is longer than ${MAX_LINE_BYTES} bytes`);
    } else if (end > start) {
      const text = bytes.toString(encoding, start, end);
      if (hasNul && text.includes('\0')) onBroken(number, text, 'the line holds a NUL character');
      else yield { number, text };
    }
    start = next + 1;
  }
}

/**
 * The same text in memory of its own: what is cut from a line keeps all of the line, and a feed's lines are many. What V8
 * joins it writes anew, in half of the time that a Buffer takes.
 */
export function copied(text: string): string {
  return [text.slice(0, 1), text.slice(1)].join('');
}

/** The longest real lines are Suricata rules, of a few kB. */
export const MAX_LINE_BYTES = 64 * 1024;
