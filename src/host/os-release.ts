/** os-release(5): assignments as a shell would read them, without any expansion. Other lines are skipped. */
export function parseOsRelease(text: string): Record<string, string> {
  const fields: Record<string, string> = Object.create(null) as Record<string, string>;
  for (const line of text.split('\n').slice(0, MAX_LINES)) {
    const match = /^([A-Z][A-Z0-9_]{0,63})=(.*)$/.exec(line.trim());
    if (match) fields[match[1] ?? ''] = unquote(match[2] ?? '');
  }
  return { ...fields };
}

function unquote(value: string): string {
  const quote = value[0];
  if (value.length < 2 || (quote !== '"' && quote !== "'") || value.at(-1) !== quote) return value;
  const inner = value.slice(1, -1);
  return quote === "'" ? inner : inner.replace(/\\(["$`\\])/g, '$1');
}

const MAX_LINES = 256;
