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
  const [action = '', protocol, ...rest] = text.slice(0, open).trim().split(/\s+/);
  if (!ACTIONS.has(action) || protocol === undefined) return null;
  const arrow = rest.findIndex((word) => word === '->' || word === '<>' || word === '=>');
  if (arrow < 1 || arrow === rest.length - 1) return null;
  const end = text.trimEnd();
  return end.slice(open + 1, end.endsWith(')') ? -1 : undefined);
}

/** Splits the inside of a rule's parentheses at the semicolons that are not quoted or escaped; null if a quote is left open. */
export function parseRuleOptions(body: string): RuleOption[] | null {
  const options: RuleOption[] = [];
  let quoted = false;
  let start = 0;
  let colon = -1;
  for (let at = 0; at <= body.length; at++) {
    const code = at < body.length ? body.charCodeAt(at) : END;
    if (code === BACKSLASH) at++;
    else if (code === QUOTE) quoted = !quoted;
    else if (code === COLON && colon === -1) colon = at;
    else if ((code === SEMICOLON && !quoted) || code === END) {
      const keyword = body.slice(start, colon === -1 ? at : colon).trim();
      if (keyword !== '') {
        options.push({ keyword: keyword.toLowerCase(), value: colon === -1 ? '' : body.slice(colon + 1, at).trim() });
      }
      start = at + 1;
      colon = -1;
    }
  }
  return quoted ? null : options;
}

/** The bytes that a `content` value stands for, as Latin-1 text: `"a|3b|b"` is `a;b`. Null where it is malformed. */
export function decodeContent(value: string): string | null {
  const inner = /^\s*"(.*)"\s*$/s.exec(value)?.[1];
  if (inner === undefined) return null;
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
/** Address lists can be long; a header beyond this is none. */
const MAX_HEADER = 16 * 1024;
const END = -1;
const BACKSLASH = 0x5c;
const QUOTE = 0x22;
const COLON = 0x3a;
const SEMICOLON = 0x3b;
