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
  for (let at = 0; at <= body.length; at++) {
    const character = body[at];
    if (character === '\\') at++;
    else if (character === '"') quoted = !quoted;
    else if ((character === ';' && !quoted) || character === undefined) {
      const text = body.slice(start, at).trim();
      start = at + 1;
      if (text === '') continue;
      const colon = text.indexOf(':');
      const keyword = colon === -1 ? text : text.slice(0, colon);
      options.push({ keyword: keyword.trim().toLowerCase(), value: colon === -1 ? '' : text.slice(colon + 1).trim() });
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
