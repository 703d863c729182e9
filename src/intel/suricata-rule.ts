/** One option of a rule: `keyword;` or `keyword:value;`. */
export interface RuleOption {
  /** In lowercase. */
  readonly keyword: string;
  /** As written, with its quotes; empty where the option has none. */
  readonly value: string;
}

/** What stands in the parentheses of a rule, or of the first line of one; null where the text is no rule. */
export function ruleBody(text: string): string | null {
  const open = text.indexOf('(');
  if (open === -1 || open > MAX_HEADER) return null;
  const action = HEADER.exec(text.slice(0, open))?.[1];
  if (action === undefined || !ACTIONS.has(action)) return null;
  const end = text.trimEnd();
  return end.slice(open + 1, end.endsWith(')') ? -1 : undefined);
}

/** Splits the inside of a rule's parentheses at the semicolons that are not quoted or escaped; null if a quote is left open. */
export function parseRuleOptions(body: string): RuleOption[] | null {
  const options: RuleOption[] = [];
  let [quote, backslash] = [-1, -1];
  for (let start = 0; start < body.length;) {
    if (quote < start) quote = placeOf('"', body, start);
    if (backslash < start) backslash = placeOf('\\', body, start);
    let [end, colon] = [placeOf(';', body, start), placeOf(':', body, start)];
    // Most options have none of both: only the others are looked at character by character.
    if (quote < end || backslash < end) {
      const found = endOfOption(body, start);
      if (!found) return null;
      [end, colon] = found;
    }
    const keyword = body.slice(start, Math.min(colon, end)).trim();
    if (keyword !== '') {
      options.push({ keyword: keyword.toLowerCase(), value: colon < end ? body.slice(colon + 1, end).trim() : '' });
    }
    start = end + 1;
  }
  return options;
}

/** Where the text is found from `start` on; behind the last character where it is not. */
function placeOf(text: string, body: string, start: number): number {
  const at = body.indexOf(text, start);
  return at === -1 ? body.length : at;
}

/** The places of the option's semicolon and of its first colon, both of which may be behind the last character; null in a quote. */
function endOfOption(body: string, start: number): [end: number, colon: number] | null {
  let quoted = false;
  let colon = body.length;
  for (let at = start; at < body.length; at++) {
    const code = body.charCodeAt(at);
    if (code === BACKSLASH) at++;
    else if (code === QUOTE) quoted = !quoted;
    else if (code === COLON && at < colon) colon = at;
    else if (code === SEMICOLON && !quoted) return [at, colon];
  }
  return quoted ? null : [body.length, colon];
}

/** The bytes that a `content` value stands for, as Latin-1 text: `"a|3b|b"` is `a;b`. Null where it is malformed. */
export function decodeContent(value: string): string | null {
  const inner = /^\s*"(.*)"\s*$/s.exec(value)?.[1];
  if (inner === undefined) return null;
  if (!/[\\|]/.test(inner)) return inner;
  let text = '';
  for (let at = 0; at < inner.length; at++) {
    const character = inner[at];
    if (character === '\\') text += inner[++at] ?? '';
    else if (character !== '|') text += character ?? '';
    else {
      const end = inner.indexOf('|', at + 1);
      const digits = end === -1 ? 'x' : inner.slice(at + 1, end).replace(/\s+/g, '');
      if (digits.length % 2 !== 0 || /[^0-9a-fA-F]/.test(digits)) return null;
      text += Buffer.from(digits, 'hex').toString('latin1');
      at = end;
    }
  }
  return text;
}

const ACTIONS = new Set(['alert', 'drop', 'pass', 'reject', 'rejectsrc', 'rejectdst', 'rejectboth']);
/** An action, a protocol, something, a direction, something. */
const HEADER = /^\s*(\S+)\s+\S+(?:\s+(?!(?:->|<>|=>)\s)\S+)+\s+(?:->|<>|=>)\s+\S/;
/** Address lists can be long; a header beyond this is none. */
const MAX_HEADER = 16 * 1024;
const BACKSLASH = 0x5c;
const QUOTE = 0x22;
const COLON = 0x3a;
const SEMICOLON = 0x3b;
