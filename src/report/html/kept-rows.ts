import { printable } from '../../terminal.js';
import type { Cell } from './page-data.js';

/** The first rows of a table, up to a bound; those that matter have room of their own. */
export class KeptRows {
  readonly rows: Cell[][] = [];
  #plain = 0;
  #special = 0;
  #leftOut = 0;
  readonly #limit: number;

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** `special` rows are kept although the first plain ones have filled the table. */
  add(row: () => Cell[], special = false): void {
    const room = special ? this.#special < this.#limit : this.#plain < this.#limit;
    if (!room) {
      this.#leftOut += 1;
      return;
    }
    if (special) this.#special += 1;
    else this.#plain += 1;
    this.rows.push(row());
  }

  /** What a reader must know; null where the table is whole. */
  note(what: string): string | null {
    if (this.#leftOut === 0) return null;
    return `${count(this.#leftOut)} more ${what} are left out of this page; report --format csv has them all.`;
  }
}

/** Text for a page: escapes for what cannot be seen, and no more than a reader can take in. */
export function shown(text: string, limit = MAX_TEXT): string {
  const cut = text.length > limit ? `${text.slice(0, limit)}…` : text;
  return printable(cut);
}

export function shownOrNull(text: string | null | undefined, limit = MAX_TEXT): string | null {
  return text == null ? null : shown(text, limit);
}

export function count(value: number): string {
  return value.toLocaleString('en');
}

const MAX_TEXT = 300;
