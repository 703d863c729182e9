import fc from 'fast-check';
import type { TSchema } from 'typebox';

/** Any value of a schema, its fields in the schema's order. */
export function arbitraryOf(schema: TSchema): fc.Arbitrary<unknown> {
  const { anyOf, enum: values, items, properties, required, type, pattern, minimum, maximum } = schema as Known;
  if (anyOf) return fc.oneof(...anyOf.map(arbitraryOf));
  if (values) return fc.constantFrom(...values);
  if (items) return fc.array(arbitraryOf(items), { maxLength: 3 });
  if (properties) {
    const names = Object.keys(properties);
    const fields = Object.fromEntries(names.map((name) => [name, arbitraryOf(properties[name] ?? {})]));
    return fc
      .record(fields, { requiredKeys: required ?? [] })
      .map((row) => Object.fromEntries(names.filter((name) => name in row).map((name) => [name, row[name]])));
  }
  if (type === 'null') return fc.constant(null);
  if (type === 'boolean') return fc.boolean();
  if (type === 'integer') {
    const range = { min: minimum ?? 0, max: maximum ?? 0 };
    return fc.oneof(
      fc.maxSafeNat().map((number) => number % (range.max + 1)),
      fc.constantFrom(range.min, range.max),
    );
  }
  if (pattern !== undefined) return fc.stringMatching(new RegExp(pattern), { maxLength: 200 });
  return fc.oneof({ weight: 20, arbitrary: fc.stringMatching(/^[ !#-[\]-~À-ÿ]*$/) }, fc.string({ unit: 'grapheme' }));
}

interface Known {
  readonly anyOf?: readonly TSchema[];
  readonly enum?: readonly string[];
  readonly items?: TSchema;
  readonly properties?: Readonly<Record<string, TSchema>>;
  readonly required?: string[];
  readonly type?: string;
  readonly pattern?: string;
  readonly minimum?: number;
  readonly maximum?: number;
}
