/** What became of an object that was to have at most so many bytes of JSON. */
export interface Fitted<Row> {
  readonly row: Row;
  readonly json: string;
  /** The lists that were cut, by their path in it, as `modules.loaded`; nearly always none. */
  readonly cut: readonly string[];
}

/**
 * An object as JSON of at most `bytes`: where it has more, its longest list loses its last items, and then the next one,
 * until it fits. An object with `errors` tells it there, as TRUNCATED; a `...Raw` beside a cut list, which holds all of
 * it, goes. Null where it does not fit even so.
 */
export function fitted<Row extends object>(row: Row, bytes: number): Fitted<Row> | null {
  let json = JSON.stringify(row);
  // A character of JavaScript's has at most three bytes.
  if (json.length * 3 <= bytes || Buffer.byteLength(json) <= bytes) return { row, json, cut: [] };
  const copy = JSON.parse(json) as Row;
  const cut = new Set<string>();
  for (;;) {
    const excess = Buffer.byteLength(json) - bytes;
    if (excess <= 0) return { row: copy, json, cut: [...cut] };
    const longest = listsIn(copy, '').reduce<List | null>(
      (most, one) => (one.bytes > (most?.bytes ?? 0) ? one : most),
      null,
    );
    if (longest === null) return null;
    shorten(longest, longest.bytes - excess);
    if (!cut.has(longest.path)) noteCut(copy, longest.path);
    cut.add(longest.path);
    json = JSON.stringify(copy);
  }
}

interface List {
  readonly path: string;
  readonly items: unknown[];
  readonly bytes: number;
  readonly holder: Record<string, unknown>;
  readonly name: string;
}

/** The lists with an item that are fields of the object, or of an object in it; not those in lists, nor what tells of the cuts. */
function listsIn(holder: object, prefix: string): List[] {
  const fields = holder as Record<string, unknown>;
  return Object.entries(fields).flatMap(([name, value]) => {
    const path = `${prefix}${name}`;
    if (Array.isArray(value)) {
      if (value.length === 0 || path === 'errors') return [];
      return [{ path, items: value, bytes: bytesOf(value), holder: fields, name }];
    }
    return typeof value === 'object' && value !== null ? listsIn(value, `${path}.`) : [];
  });
}

/** Keeps the first items, as many as have `bytes` with their commas. */
function shorten({ items, holder, name }: List, bytes: number): void {
  let kept = 0;
  for (let used = 0; kept < items.length; kept++) {
    used += bytesOf(items[kept]) + 1;
    if (used > bytes) break;
  }
  // At least one goes, whatever the brackets made of the sum.
  items.length = Math.min(kept, items.length - 1);
  Reflect.deleteProperty(holder, `${name}Raw`);
}

function noteCut(row: object, field: string): void {
  if ('errors' in row && Array.isArray(row.errors)) row.errors.push({ field, code: 'TRUNCATED' });
}

function bytesOf(value: unknown): number {
  return Buffer.byteLength(JSON.stringify(value));
}
