/** A key that an object in a JSON text has twice; of its values JSON.parse() gives the last. The text is valid. */
export function duplicateKey(text: string): string | undefined {
  const open: Set<string>[] = [];
  for (let at = 0; at < text.length; at++) {
    const character = text[at];
    if (character === '{') open.push(new Set());
    else if (character === '}') open.pop();
    else if (character === '"') {
      const start = at;
      for (at++; text[at] !== '"'; at++) if (text[at] === '\\') at++;
      const keys = open.at(-1);
      if (!keys || !isKey(text, at + 1)) continue;
      const key = JSON.parse(text.slice(start, at + 1)) as string;
      if (keys.has(key)) return key;
      keys.add(key);
    }
  }
  return undefined;
}

/** Whether the string that ends in front of `at` is a key: a colon follows. */
function isKey(text: string, at: number): boolean {
  COLON.lastIndex = at;
  return COLON.test(text);
}

const COLON = /\s*:/y;
