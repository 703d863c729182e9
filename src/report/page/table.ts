import type { Cell, Table, TableColumn } from '../html/page-data.js';
import { element, foreign, number, section } from './elements.js';

/** A table that can be searched and sorted; it shows the first rows, and more when asked. */
export class TableView {
  readonly section: HTMLElement;
  readonly #table: Table;
  readonly #texts: readonly string[];
  readonly #body = element('tbody');
  readonly #status = element('span', { class: 'status', role: 'status' });
  readonly #more = element('button', { type: 'button', class: 'more' }, 'Show more');
  readonly #search: HTMLInputElement;
  #order: number[];
  #sorted: { column: number; descending: boolean } | null = null;
  #shown = FIRST_ROWS;
  #filter: ((row: readonly Cell[]) => boolean) | null = null;

  constructor(table: Table) {
    this.#table = table;
    this.#texts = table.rows.map((row) => row.join('\u0000').toLowerCase());
    this.#order = table.rows.map((_, at) => at);
    this.#search = element('input', {
      type: 'search',
      placeholder: 'Search',
      'aria-label': `Search ${table.title}`,
      spellcheck: 'false',
      autocomplete: 'off',
    });
    this.#search.addEventListener('input', () => this.#again());
    this.#more.addEventListener('click', () => {
      this.#shown += MORE_ROWS;
      this.#render();
    });
    const note = table.note === null ? null : element('p', { class: 'note' }, table.note);
    this.section = section(
      table.id,
      table.title,
      note,
      ...(table.rows.length === 0 ? [this.#empty()] : this.#content()),
    );
    if (table.rows.length > 0) this.#render();
  }

  /** Shows only rows that pass, beside what is searched for; null shows all again. */
  filter(filter: ((row: readonly Cell[]) => boolean) | null): void {
    this.#filter = filter;
    this.#again();
  }

  #empty(): HTMLElement | null {
    return this.#table.note === null ? element('p', { class: 'note' }, 'None.') : null;
  }

  #content(): HTMLElement[] {
    const tools = element('div', { class: 'tools' }, this.#search, this.#status);
    const head = element('tr', {}, ...this.#table.columns.map((column, at) => this.#headCell(column, at)));
    const table = element('table', {}, element('thead', {}, head), this.#body);
    return [tools, element('div', { class: 'scroll', tabindex: '0' }, table), this.#more];
  }

  #headCell(column: TableColumn, at: number): HTMLElement {
    const button = element('button', { type: 'button' }, column.title);
    const cell = element('th', { scope: 'col', class: column.kind, 'aria-sort': 'none' }, button);
    button.addEventListener('click', () => {
      const descending = this.#sorted?.column === at && !this.#sorted.descending;
      this.#sorted = { column: at, descending };
      for (const other of cell.parentElement?.children ?? []) other.setAttribute('aria-sort', 'none');
      cell.setAttribute('aria-sort', descending ? 'descending' : 'ascending');
      const { rows } = this.#table;
      this.#order.sort(
        (a, b) => compare(rows[a]?.[at] ?? null, rows[b]?.[at] ?? null) * (descending ? -1 : 1) || a - b,
      );
      this.#render();
    });
    return cell;
  }

  #again(): void {
    this.#shown = FIRST_ROWS;
    this.#render();
  }

  #render(): void {
    const words = this.#search.value
      .toLowerCase()
      .split(/\s+/)
      .filter((word) => word !== '');
    const { rows, columns } = this.#table;
    const found = this.#order.filter((at) => {
      const text = this.#texts[at] ?? '';
      return words.every((word) => text.includes(word)) && (this.#filter?.(rows[at] ?? []) ?? true);
    });
    const visible = found.slice(0, this.#shown);
    this.#body.replaceChildren(...visible.map((at) => bodyRow(rows[at] ?? [], columns)));
    const all = number(rows.length);
    const of =
      found.length === rows.length
        ? `${all} ${rows.length === 1 ? 'row' : 'rows'}`
        : `${number(found.length)} of ${all} rows`;
    this.#status.textContent = visible.length < found.length ? `${of}, the first ${number(visible.length)} shown` : of;
    this.#more.hidden = visible.length === found.length;
  }
}

function bodyRow(row: readonly Cell[], columns: readonly TableColumn[]): HTMLElement {
  return element('tr', {}, ...columns.map(({ kind }, at) => bodyCell(row[at] ?? null, kind)));
}

function bodyCell(cell: Cell, kind: TableColumn['kind']): HTMLElement {
  if (cell === null || cell === '') return element('td', { class: `${kind} nothing` }, '–');
  // Numbers in a table of pids and ports are names: no thousands separators.
  const text = String(cell);
  if (kind === 'tone') return element('td', {}, element('span', { class: `badge ${text}` }, text));
  return element('td', { class: kind }, foreign(text));
}

/** What is not known comes last. */
function compare(one: Cell, other: Cell): number {
  if (one === null || other === null) return Number(one === null) - Number(other === null);
  if (typeof one === 'number' && typeof other === 'number') return one - other;
  return String(one).localeCompare(String(other), 'en', { numeric: true });
}

const FIRST_ROWS = 100;
const MORE_ROWS = 500;
