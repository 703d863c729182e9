/** One comparison of a STIX pattern: `path = 'value'`. */
export interface StixComparison {
  /** As written, without blanks: `network-traffic:extensions.'tls-ext'.client_ja3_hash`. */
  readonly path: string;
  readonly value: string;
}

/** Why a pattern is not understood. */
export class StixPatternError extends Error {}

/**
 * Reads a STIX 2.1 pattern (section 9) into alternatives, each a list of comparisons that must all hold in one observation.
 * Understood: `=`, `IN`, AND, OR and parentheses inside one observation, and OR between observations. Everything
 * else (other operators, NOT, AND and FOLLOWEDBY between observations, qualifiers) throws a StixPatternError that names it.
 */
export function parseStixPattern(pattern: string): StixComparison[][] {
  if (pattern.length > MAX_PATTERN) throw new StixPatternError(`longer than ${MAX_PATTERN} characters`);
  // Nearly all patterns are so simple, and a feed may have hundreds of thousands.
  const [, path, value] = SINGLE.exec(pattern) ?? [];
  if (path !== undefined && value !== undefined) return [[{ path, value }]];
  const parser = new Parser(tokens(pattern));
  const alternatives = parser.observations(0);
  parser.end();
  return alternatives;
}

class Parser {
  readonly #tokens: readonly Token[];
  #at = 0;

  constructor(all: readonly Token[]) {
    this.#tokens = all;
  }

  observations(depth: number): StixComparison[][] {
    const all = this.#observation(depth);
    while (this.#takes('word', 'OR')) all.push(...this.#observation(depth));
    const next = this.#peek();
    if (next?.kind === 'word') throw new StixPatternError(`${next.text} between observations is not compared`);
    return bounded(all);
  }

  end(): void {
    const next = this.#peek();
    if (next) throw new StixPatternError(`'${next.text}' is not expected`);
  }

  #observation(depth: number): StixComparison[][] {
    if (depth > MAX_DEPTH) throw new StixPatternError(`nested deeper than ${MAX_DEPTH}`);
    if (this.#takes('mark', '(')) {
      const inner = this.observations(depth + 1);
      this.#expect(')');
      return inner;
    }
    this.#expect('[');
    const inner = this.#or(depth);
    this.#expect(']');
    return inner;
  }

  #or(depth: number): StixComparison[][] {
    const all = this.#and(depth);
    while (this.#takes('word', 'OR')) all.push(...this.#and(depth));
    return bounded(all);
  }

  #and(depth: number): StixComparison[][] {
    let all = this.#comparison(depth);
    while (this.#takes('word', 'AND')) {
      const right = this.#comparison(depth);
      all = bounded(all.flatMap((left) => right.map((more) => [...left, ...more])));
    }
    return all;
  }

  #comparison(depth: number): StixComparison[][] {
    if (depth > MAX_DEPTH) throw new StixPatternError(`nested deeper than ${MAX_DEPTH}`);
    if (this.#takes('mark', '(')) {
      const inner = this.#or(depth + 1);
      this.#expect(')');
      return inner;
    }
    const path = this.#next('path', 'an object path');
    const operator = this.#peek();
    if (this.#takes('mark', '=')) return [[{ path, value: this.#literal() }]];
    if (!this.#takes('word', 'IN'))
      throw new StixPatternError(`${operator?.text ?? 'its end'} is not compared, only = and IN`);
    this.#expect('(');
    const alternatives = [[{ path, value: this.#literal() }]];
    while (this.#takes('mark', ',')) alternatives.push([{ path, value: this.#literal() }]);
    this.#expect(')');
    return bounded(alternatives);
  }

  #literal(): string {
    const token = this.#peek();
    if (token?.kind !== 'text' && token?.kind !== 'number') throw new StixPatternError('a value is missing');
    this.#at++;
    return token.text;
  }

  #next(kind: Token['kind'], what: string): string {
    const token = this.#peek();
    if (token?.kind !== kind) throw new StixPatternError(`${what} is missing at '${token?.text ?? 'the end'}'`);
    this.#at++;
    return token.text;
  }

  #expect(mark: string): void {
    if (!this.#takes('mark', mark))
      throw new StixPatternError(`'${mark}' is missing at '${this.#peek()?.text ?? 'the end'}'`);
  }

  #takes(kind: Token['kind'], text: string): boolean {
    const token = this.#peek();
    if (token?.kind !== kind || token.text !== text) return false;
    this.#at++;
    return true;
  }

  #peek(): Token | undefined {
    return this.#tokens[this.#at];
  }
}

interface Token {
  readonly kind: 'mark' | 'word' | 'path' | 'text' | 'number';
  readonly text: string;
}

function tokens(pattern: string): Token[] {
  const found: Token[] = [];
  TOKEN.lastIndex = 0;
  while (TOKEN.lastIndex < pattern.length) {
    const at = TOKEN.lastIndex;
    const match = TOKEN.exec(pattern);
    if (!match) throw new StixPatternError(`'${pattern.slice(at, at + 20)}' is no part of a pattern`);
    const [, path, number, word, text, mark] = match;
    if (path !== undefined) found.push({ kind: 'path', text: path });
    else if (word !== undefined) found.push({ kind: 'word', text: word.toUpperCase() });
    else if (number !== undefined) found.push({ kind: 'number', text: number });
    else if (text !== undefined) found.push({ kind: 'text', text: unquoted(text) });
    else if (mark !== undefined) found.push({ kind: 'mark', text: mark });
  }
  return found;
}

function unquoted(text: string): string {
  const inner = text.slice(1, -1);
  return inner.includes('\\') ? inner.replace(/\\([\\'])/g, '$1') : inner;
}

function bounded(alternatives: StixComparison[][]): StixComparison[][] {
  if (alternatives.length > MAX_ALTERNATIVES)
    throw new StixPatternError(`has more than ${MAX_ALTERNATIVES} alternatives`);
  return alternatives;
}

// A path is `object-type:step.step`, where a step may be quoted or end in [index].
const PATH = /[a-z0-9-]+:[A-Za-z0-9_-]+(?:\.(?:[A-Za-z0-9_-]+|'(?:[^'\\]|\\.)*')|\[(?:\d+|\*)\])*/.source;
/** One comparison alone, of a value without escapes. */
const SINGLE = new RegExp(String.raw`^\s*\[\s*(${PATH})\s*=\s*'([^'\\]*)'\s*\]\s*$`);
// Groups without names, which would make an object for each token: path, number, word, text, mark. `<=`, `!=` and so on
// become marks.
const TOKEN = new RegExp(
  String.raw`\s*(?:(${PATH})|(-?\d+(?:\.\d+)?)|([A-Za-z]+)|('(?:[^'\\]|\\.)*')|([<>!]=|[[\]()=,<>])|$)`,
  'y',
);

const MAX_PATTERN = 64 * 1024;
const MAX_ALTERNATIVES = 256;
const MAX_DEPTH = 32;
