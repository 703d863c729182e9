import stringWidth from 'string-width';

/**
 * Text for a terminal that an attacker may have written: every control, bidirectional and otherwise invisible
 * character is shown as an escape (`\x1b`, `\u{202e}`), never sent raw. A backslash stays a backslash.
 */
export function printable(text: string): string {
  return escaped(text, (character) => {
    const code = character.codePointAt(0) ?? 0;
    return code < 0x100 ? `\\x${code.toString(16).padStart(2, '0')}` : `\\u{${code.toString(16)}}`;
  });
}

/** JSON, indented, with the same characters as JSON escapes: the same value, and harmless on a terminal. */
export function printableJson(value: unknown): string {
  // A newline can only be one between two members: those in a text are escaped.
  const lines = JSON.stringify(value, null, 2).split('\n');
  const unit = (character: string, at: number): string => `\\u${hex4(character.charCodeAt(at))}`;
  return lines
    .map((line) =>
      escaped(line, (character) => Array.from({ length: character.length }, (_, at) => unit(character, at)).join('')),
    )
    .join('\n');
}

/** What is ASCII is looked at by a class that costs little: nearly all of a text of megabytes. */
function escaped(text: string, escape: (character: string) => string): string {
  return text.replace(NOT_PLAIN, (run) => run.replace(UNSAFE, escape));
}

export interface TableOptions {
  /** Columns to fit into; `Infinity` never shortens. By default the terminal's width, and no limit in a pipe. */
  readonly width?: number;
  /** By default on a terminal, unless NO_COLOR is set. */
  readonly color?: boolean;
}

/** A table without frames; cells are made printable, and the widest columns are shortened with `…` until it fits. */
export function table(
  head: readonly string[],
  rows: readonly (readonly (string | number | boolean | null | undefined)[])[],
  options: TableOptions = {},
): string {
  const cells = rows.map((row) => head.map((_, column) => printable(String(row[column] ?? '-'))));
  const natural = head.map((title, column) =>
    cells.reduce((widest, row) => Math.max(widest, widthOf(row[column] ?? '')), widthOf(title)),
  );
  const widths = fitted(
    natural,
    (options.width ?? (process.stdout.isTTY ? process.stdout.columns : Infinity)) - GAP * (head.length - 1),
  );
  const line = (texts: readonly string[]): string =>
    texts
      .map((text, column) => padded(shortened(text, widths[column] ?? 0), widths[column] ?? 0))
      .join(' '.repeat(GAP))
      .trimEnd();
  const title = line(head);
  return [(options.color ?? colored()) ? `\u001b[1m${title}\u001b[22m` : title, ...cells.map(line)].join('\n');
}

/** Whether stdout wants colours: a terminal, and no NO_COLOR (https://no-color.org). */
export function colored(): boolean {
  return process.stdout.isTTY && !process.env['NO_COLOR'];
}

function fitted(natural: readonly number[], width: number): number[] {
  const widths = [...natural];
  let excess = widths.reduce((sum, each) => sum + each, 0) - width;
  while (excess > 0) {
    const widest = widths.indexOf(Math.max(...widths));
    const current = widths[widest] ?? 0;
    if (current <= NARROWEST) break;
    widths[widest] = current - 1;
    excess -= 1;
  }
  return widths;
}

/** The text in `width` columns, with `…` where something was cut off. */
export function shortened(cell: string, width: number): string {
  if (widthOf(cell) <= width) return cell;
  let kept = '';
  let used = 1;
  for (const { segment } of new Intl.Segmenter().segment(cell)) {
    used += widthOf(segment);
    if (used > width) break;
    kept += segment;
  }
  return `${kept}…`;
}

export function padded(text: string, width: number): string {
  return text + ' '.repeat(Math.max(0, width - widthOf(text)));
}

/**
 * Columns of a terminal. Of a long text in pieces: string-width takes time in the square of the length, and a server name may
 * have 64 kB. Where a piece ends within a character of several code points, it is one off.
 */
function widthOf(text: string): number {
  if (PLAIN.test(text)) return text.length;
  if (text.length <= PIECE) return stringWidth(text);
  let width = 0;
  for (let at = 0; at < text.length;) {
    const last = text.charCodeAt(at + PIECE - 1);
    const end = at + PIECE + (last >= 0xd800 && last < 0xdc00 ? 1 : 0);
    width += stringWidth(text.slice(at, end));
    at = end;
  }
  return width;
}

function hex4(unit: number): string {
  return unit.toString(16).padStart(4, '0');
}

// C0, DEL, C1; format, surrogate, private use and unassigned; line and paragraph separators.
const UNSAFE = /[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Cn}\p{Zl}\p{Zp}]/gu;
const NOT_PLAIN = /[^ -~]+/g;
const PLAIN = /^[ -~]*$/;
const GAP = 2;
const PIECE = 256;
const NARROWEST = 4;
