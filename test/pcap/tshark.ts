import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { execa } from 'execa';
import { reasonAgainstCommands } from '../left-out.js';

/** tshark is the independent reader that these tests compare with. */
export const reasonAgainstTshark = (): string | undefined => reasonAgainstCommands('tshark');

/**
 * The named fields of every packet that `filter` selects; where a field stands more than once in a packet, in order.
 * Addresses and ports are those of the innermost layer, as `-E occurrence=a` gives all of them.
 */
export async function tsharkFields(
  file: string,
  filter: string,
  fields: readonly string[],
  options: readonly string[] = [],
): Promise<Record<string, string[]>[]> {
  const args = ['-n', '-r', file, '-Y', filter, ...options, '-T', 'fields', '-E', 'separator=/t', '-E', 'aggregator=|'];
  const { stdout } = await execa('tshark', [...args, ...fields.flatMap((field) => ['-e', field])]);
  return stdout
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      const values = line.split('\t');
      return Object.fromEntries(
        fields.map((field, index) => [field, (values[index] ?? '').split('|').filter((value) => value !== '')]),
      );
    });
}

export const fixture = (name: string): string => resolve(import.meta.dirname, '../../fixtures/pcap', name);
export const readFixture = (name: string): Buffer => readFileSync(fixture(name));
