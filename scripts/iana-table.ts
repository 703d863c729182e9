/** The table of names that scripts/generate/iana.ts turns into source and scripts/merge-iana.ts renews. */
import { readFile } from 'node:fs/promises';
import { parse } from 'csv-parse/sync';

export const REGISTRIES = ['cipher_suite', 'extension', 'group', 'signature_scheme', 'point_format'] as const;
export type Registry = (typeof REGISTRIES)[number];

export interface NameRow {
  readonly registry: Registry;
  readonly value: number;
  readonly name: string;
  readonly status: 'registered' | 'unregistered';
}

export async function readTable(path: string): Promise<NameRow[]> {
  const rows: Record<string, string>[] = parse(await readFile(path, 'utf8'), { columns: true });
  return rows.map(({ registry, value, name, status }, index) => {
    const known = REGISTRIES.find((candidate) => candidate === registry);
    const number = Number(value);
    if (
      known === undefined ||
      !isCodePoint(number) ||
      !name ||
      (status !== 'registered' && status !== 'unregistered')
    ) {
      throw new Error(`${path}:${index + 2}: not a row of registry,value,name,status`);
    }
    return { registry: known, value: number, name, status };
  });
}

export function formatTable(rows: readonly NameRow[]): string {
  const sorted = rows.toSorted(
    (a, b) => REGISTRIES.indexOf(a.registry) - REGISTRIES.indexOf(b.registry) || a.value - b.value,
  );
  const lines = sorted.map(
    ({ registry, value, name, status }) => `${registry},${hex(registry, value)},${name},${status}`,
  );
  return ['registry,value,name,status', ...lines, ''].join('\n');
}

/**
 * The assigned code points of a registry's CSV as IANA publishes it: `Value` is `0x13,0x01`, `0x0804` or `29`, and ranges are
 * unassigned or reserved. `Description` may say more in brackets.
 */
export function readIanaCsv(text: string, registry: Registry): NameRow[] {
  const rows: Record<string, string>[] = parse(text, { columns: true, relax_column_count: true, bom: true });
  return rows.flatMap((row): NameRow[] => {
    const value = codePoint(row.Value ?? '');
    const name = (row.Description ?? row['Extension Name'] ?? '').replace(/\s*\(.*$/s, '').trim();
    if (value === null || !/^[A-Za-z][\w-]*$/.test(name) || /^(unassigned|reserved)/i.test(name)) return [];
    return [{ registry, value, name, status: 'registered' }];
  });
}

function codePoint(text: string): number | null {
  const pair = /^0x([0-9A-F]{2}),0x([0-9A-F]{2})$/i.exec(text);
  const number = pair === null ? Number(text.trim() === '' ? NaN : text) : Number(`0x${pair[1] ?? ''}${pair[2] ?? ''}`);
  return isCodePoint(number) ? number : null;
}

function isCodePoint(value: number): boolean {
  return Number.isInteger(value) && value >= 0 && value <= 0xffff;
}

function hex(registry: Registry, value: number): string {
  return `0x${value.toString(16).padStart(registry === 'point_format' ? 2 : 4, '0')}`;
}
