import type { FeedContent } from './feed.js';
import { type JsonCursor, JsonFault } from './json-cursor.js';
import { isObject, type JsonObject } from './json-facts.js';

/** One object of a feed, and the line it starts in. */
export interface JsonEntry {
  readonly line: number;
  readonly entry: JsonObject;
}

/**
 * The objects of the array that comes next, or the one that comes next. What is broken, or no object, becomes a problem of the feed
 * and costs only itself; `otherwise` says what is wrong with the latter.
 */
export function* jsonEntries(cursor: JsonCursor, content: FeedContent, otherwise: string): Generator<JsonEntry, void> {
  const tell = ({ line, text, message }: JsonFault): void => content.problem(line, text, message);
  for (const element of cursor.kind() === 'array' ? cursor.elements(tell) : [cursor]) {
    const line = element.line;
    let value: unknown;
    try {
      value = element.value();
    } catch (fault) {
      if (!(fault instanceof JsonFault)) throw fault;
      tell(fault);
      continue;
    }
    if (isObject(value)) yield { line, entry: value };
    else content.problem(line, JSON.stringify(value), otherwise);
  }
}
