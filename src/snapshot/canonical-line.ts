import type { TSchema } from 'typebox';
import { type Places, type RepeatedTail, TailMemory } from './repeated-tail.js';
import { base64 } from './schema/fields.js';

/**
 * Reads chosen places of lines without parsing them: one regular expression made of the schema. It takes a line only
 * where that is, byte by byte, as `JSON.stringify` writes a row that fits the schema, its fields in the schema's order
 * and no character escaped; so a line that is taken fits the schema. Any other line gives undefined and needs a parser,
 * whether it fits or not. There must be no line feed in it.
 *
 * `wanted` are JSON pointers in the order of the schema: to a string, whose content is given; a number, a boolean or an
 * enumeration's value, as written; a list, as written; or an object, of which `{` is given where it is not null. The schema's
 * patterns must be of whole texts, and take no character that JSON escapes.
 * @throws Error for a schema with something this does not know, or for places that are not in its order
 */
export function canonicalLine(schema: TSchema, wanted: readonly string[]): (line: string) => Places | undefined {
  const expression = expressionOf(schema, wanted);
  return (line) => expression.exec(line) ?? undefined;
}

/** The same for lines as bytes, of which many end alike; `make` is given what is read of a line with a tail not seen before. */
export function canonicalLines<Made>(
  schema: TSchema,
  wanted: readonly string[],
  tail: RepeatedTail,
  make: (places: Places) => Made,
): TailMemory<Made> {
  const head = expressionOf(schema, wanted.slice(0, placesBefore(schema, wanted, tail)), tail.place);
  return new TailMemory(expressionOf(schema, wanted), head, tail.marker, make);
}

/** How many of the wanted places are in front of the tail. */
export function placesBefore(schema: TSchema, wanted: readonly string[], { place }: RepeatedTail): number {
  const order = placesOf(schema);
  return wanted.filter((one) => order.indexOf(one) < order.indexOf(place)).length;
}

/** @param end the place in front of which the line ends; without it the line is whole */
function expressionOf(schema: TSchema, wanted: readonly string[], end?: string): RegExp {
  const builder = new ExpressionBuilder(new Set(wanted), end);
  const expression = new RegExp(`^${builder.value(schema, '')}$`);
  if (builder.captured.join() !== wanted.join()) throw new Error(`not in the schema's order: ${wanted.join(', ')}`);
  return expression;
}

/** All places of a schema in its order, those of lists' items left out. */
export function placesOf(schema: TSchema): string[] {
  return [...schemasByPlace(schema).keys()];
}

/** The same, with what the schema says of each: several things where there are alternatives. */
export function schemasByPlace(schema: TSchema): ReadonlyMap<string, readonly Schema[]> {
  const found = new Map<string, Schema[]>();
  const visit = (place: string, one: Schema): void => {
    const known = found.get(place) ?? [];
    found.set(place, one.anyOf ? known : [...known, one]);
    for (const alternative of one.anyOf ?? []) visit(place, alternative);
    for (const [name, inner] of Object.entries(one.properties ?? {})) visit(`${place}/${name}`, inner);
  };
  visit('', schema);
  return found;
}

/** What of JSON Schema the members' schemas use. */
export interface Schema {
  readonly anyOf?: readonly Schema[];
  readonly enum?: readonly string[];
  readonly type?: string;
  readonly pattern?: string;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly items?: Schema;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: boolean;
}

class ExpressionBuilder {
  readonly captured: string[] = [];
  readonly #wanted: ReadonlySet<string>;
  readonly #end: string | undefined;
  #ended = false;

  /** @param end the place in front of which all expressions end, whatever they are in */
  constructor(wanted: ReadonlySet<string>, end?: string) {
    this.#wanted = wanted;
    this.#end = end;
  }

  value(schema: Schema, place: string): string {
    const { anyOf, items, properties } = schema;
    if (anyOf) return this.#anyOf(anyOf, place);
    if (schema.enum) return `"${this.#capture(place, schema.enum.join('|'))}"`;
    if (items) return this.#capture(place, list(this.value(items, `${place}/-`)));
    if (properties) return this.#object(schema, properties, place);
    switch (schema.type) {
      case 'null':
        return 'null';
      case 'boolean':
        return this.#capture(place, 'true|false');
      case 'string':
        return `"${this.#capture(place, contentOf(schema))}"`;
      case 'integer':
        if (schema.minimum === 0) return this.#capture(place, upTo(schema.maximum ?? Number.MAX_SAFE_INTEGER));
    }
    throw new Error(`${place}: no expression for ${JSON.stringify(schema)}`);
  }

  #anyOf(schemas: readonly Schema[], place: string): string {
    const expressions: string[] = [];
    for (const one of schemas) {
      const expression = this.value(one, place);
      if (this.#ended) return expression;
      expressions.push(expression);
    }
    return `(?:${expressions.join('|')})`;
  }

  #object(schema: Schema, properties: Readonly<Record<string, Schema>>, place: string): string {
    if (schema.additionalProperties !== false) throw new Error(`${place}: not a closed object`);
    let expression = this.#capture(place, '\\{');
    const names = Object.keys(properties);
    const isRequired = (name: string) => schema.required?.includes(name) ?? false;
    for (const [at, [name, property]] of Object.entries(properties).entries()) {
      if (`${place}/${name}` === this.#end) {
        this.#ended = true;
        return expression;
      }
      const field = `"${name}":${this.value(property, `${place}/${name}`)}`;
      if (this.#ended) return `${expression}${field}`;
      const comma = names.slice(at + 1).some(isRequired) ? ',' : COMMA_BEFORE_FIELD;
      expression += isRequired(name) ? `${field}${comma}` : `(?:${field}${comma})?`;
    }
    return `${expression}\\}`;
  }

  #capture(place: string, expression: string): string {
    if (!this.#wanted.has(place)) return `(?:${expression})`;
    this.captured.push(place);
    return `(${expression})`;
  }
}

/** What stands between the quotes of a string. */
function contentOf({ pattern }: Schema): string {
  if (pattern === (base64 as Schema).pattern) return BASE64;
  return pattern?.replace(/^\^|\$$/g, '') ?? PLAIN_TEXT;
}

function list(item: string): string {
  return `\\[(?:${item}(?:,${item})*)?\\]`;
}

/** The decimal numbers from 0 to `max`, without leading zeros: for 19 `[1-9](?![0-9])|1[0-8]|19|0`, in short. */
function upTo(max: number): string {
  const digits = String(max);
  const sameLength = Array.from(digits).flatMap((digit, at) => {
    const [low, high] = [at === 0 ? 1 : 0, Number(digit) - 1];
    return high < low ? [] : [`${digits.slice(0, at)}[${low}-${high}][0-9]{${digits.length - at - 1}}`];
  });
  // First, because most numbers are shorter.
  const shorter = digits.length > 1 ? [`[1-9][0-9]{0,${digits.length - 2}}(?![0-9])`] : [];
  return [...shorter, ...sameLength, digits, '0'].join('|');
}

/**
 * The schema's base64, and the line feed that no line has: V8 looks characters up in a table where a class has five ranges or more,
 * and with four it branches on each as good as at random, which takes five times as long.
 */
const BASE64 = '[A-Za-z0-9+/\\n]*={0,2}';
/** Text that is the same in JSON as it is. */
const PLAIN_TEXT = '[^"\\\\\\u0000-\\u001f]*';
/** After a field that may be the last one. */
const COMMA_BEFORE_FIELD = '(?:,(?=")|(?=\\}))';
