import type { FeedContent } from '../feed.js';
import type { EntryFacts } from '../feed-indicator.js';
import type { SimpleType } from '../indicator.js';
import { JsonCursor } from '../json-cursor.js';
import { jsonEntries } from '../json-entries.js';
import { flagOf, isObject, joined, textOf, type JsonObject } from '../json-facts.js';
import { ja4Form, writtenDate } from '../values.js';

/**
 * MISP core format: an event, a list or REST response of events or attributes, or the event file of a MISP feed.
 * Only attributes that are meant for detection (`to_ids`) and not deleted count. What a fingerprint is of comes from
 * the object relation: the `ja3` and `ja3s` objects use one and the same attribute type.
 * https://www.misp-standard.org/rfc/misp-standard-core.html, https://www.misp-project.org/objects.html
 */
export function readMisp(bytes: Buffer, content: FeedContent): void {
  const cursor = new JsonCursor(bytes);
  while (cursor.kind() !== 'end') readAny(cursor, content, 0);
}

/** An event or a wrapper around events or attributes: which, its names tell. */
function readAny(cursor: JsonCursor, content: FeedContent, depth: number): void {
  if (cursor.kind() === 'array' && depth < MAX_DEPTH) {
    for (const element of cursor.elements()) readAny(element, content, depth + 1);
    return;
  }
  if (cursor.kind() !== 'object' || depth >= MAX_DEPTH) {
    content.problem(cursor.line, '', 'is no event and no attribute');
    cursor.skip();
    return;
  }
  const event = new EventContent(content);
  try {
    for (const name of cursor.members()) {
      if (name === 'Event' || name === 'response') readAny(cursor, content, depth + 1);
      else if (name === 'Attribute') readAttributes(cursor, content, (found) => event.add(found));
      else if (name === 'Object') readObjects(cursor, content, event);
      else if (name === 'info') event.inform(textOf(cursor.value()));
    }
  } finally {
    event.end();
  }
}

/** What one event names. Its `info` may come behind the attributes: PyMISP sorts names, and capitals come first. */
class EventContent {
  readonly #content: FeedContent;
  readonly #waiting: Found[] = [];
  /** Undefined as long as it is not known. */
  #info: string | null | undefined;

  constructor(content: FeedContent) {
    this.#content = content;
  }

  inform(info: string | null): void {
    this.#info = info;
  }

  add(found: Found): void {
    if (this.#info !== undefined) this.#describe(found, this.#info);
    // A feed of 200,000 attributes keeps tags, galaxies and so on of one at a time.
    else this.#waiting.push({ ...found, attribute: onlyNeeded(found.attribute) });
  }

  end(): void {
    for (const found of this.#waiting) this.#describe(found, this.#info ?? null);
  }

  #describe({ line, attribute, name }: Found, info: string | null): void {
    addAttribute(line, attribute, joined([name, info ?? infoOf(attribute)]), this.#content);
  }
}

interface Found {
  readonly line: number;
  readonly attribute: JsonObject;
  /** What its object says of it. */
  readonly name: string | null;
}

function readAttributes(cursor: JsonCursor, content: FeedContent, take: (found: Found) => void): void {
  for (const { line, entry } of jsonEntries(cursor, content, 'is no attribute')) {
    take({ line, attribute: entry, name: null });
  }
}

function readObjects(cursor: JsonCursor, content: FeedContent, event: EventContent): void {
  if (cursor.kind() !== 'array') return cursor.skip();
  for (const element of cursor.elements((fault) => content.problem(fault.line, fault.text, fault.message))) {
    const line = element.line;
    if (element.kind() !== 'object') {
      content.problem(line, '', 'is no MISP object');
      continue;
    }
    const inside: Found[] = [];
    const dates: Dates = {};
    let deleted = false;
    for (const name of element.members()) {
      if (name === 'Attribute') readAttributes(element, content, (found) => inside.push(found));
      else if (name === 'deleted') deleted = flagOf(element.value()) ?? false;
      else if (name === 'first_seen' || name === 'last_seen') dates[name] = element.value();
    }
    if (deleted) content.skip(line, 'a deleted object');
    else for (const found of describedBy(inside, dates)) event.add(found);
  }
}

/** When something was seen, as MISP writes it. */
interface Dates {
  first_seen?: unknown;
  last_seen?: unknown;
}

/** Joins what an object and its attributes say of each other: the JA4+ type, the description, and when it was seen. */
function describedBy(inside: readonly Found[], dates: Dates): Found[] {
  const valueOf = (relation: string): string | null => {
    const match = inside.find(({ attribute }) => attribute['object_relation'] === relation);
    return match && flagOf(match.attribute['deleted']) !== true ? textOf(match.attribute['value']) : null;
  };
  const ja4Type = valueOf('ja4-type');
  const name = joined([valueOf('description'), valueOf('filename')]);
  const firstSeen = dates.first_seen ?? valueOf('first-seen');
  const lastSeen = dates.last_seen ?? valueOf('last-seen');
  return inside
    .filter(({ attribute }) => !DESCRIBING.has(String(attribute['object_relation'])))
    .map(({ line, attribute }) => ({
      line,
      name,
      attribute: {
        ...attribute,
        first_seen: attribute['first_seen'] ?? firstSeen,
        last_seen: attribute['last_seen'] ?? lastSeen,
        ja4Type,
      },
    }));
}

/** The title of its event, which an attribute of a search for attributes carries itself. */
function infoOf(attribute: JsonObject): string | null {
  return isObject(attribute['Event']) ? textOf(attribute['Event']['info']) : null;
}

function onlyNeeded(attribute: JsonObject): JsonObject {
  const { type, value, to_ids, deleted, comment, object_relation, ja4Type, first_seen, last_seen, timestamp, Event } =
    attribute;
  return { type, value, to_ids, deleted, comment, object_relation, ja4Type, first_seen, last_seen, timestamp, Event };
}

function addAttribute(line: number, attribute: JsonObject, name: string, content: FeedContent): void {
  const type = textOf(attribute['type']);
  const value = textOf(attribute['value']);
  if (type === null || value === null) {
    content.problem(line, JSON.stringify(attribute), 'an attribute without type or value');
    return;
  }
  if (flagOf(attribute['deleted']) === true) return content.skip(line, 'a deleted attribute');
  const meaning = meaningOf(type, attribute, value);
  if (meaning === undefined) return content.skip(line, `${type} is nothing that a snapshot holds`);
  // MISP's own default for these types is to_ids: true; an attribute that says otherwise is context, not a detection.
  if (flagOf(attribute['to_ids']) === false) return content.skip(line, 'to_ids is not set: not meant for detection');
  const facts: EntryFacts = {
    description: joined([textOf(attribute['comment']), name], '; '),
    dates: {
      firstSeen: writtenDate(attribute['first_seen']),
      lastSeen: writtenDate(attribute['last_seen']),
      listed: writtenDate(attribute['timestamp']),
    },
  };
  if (meaning === null) content.problem(line, `${type} ${value}`, `has not the form of a ${type}`);
  else content.add(line, meaning.type, meaning.value, facts);
}

/** What an attribute stands for; undefined: nothing to compare, null: broken. */
function meaningOf(
  type: string,
  attribute: JsonObject,
  value: string,
): { type: SimpleType; value: string } | undefined | null {
  const relation = attribute['object_relation'];
  // Older templates give both relations the type `md5`.
  if (type === 'ja3-fingerprint-md5' || type === 'md5') {
    if (relation === 'ja3s-fingerprint-md5') return { type: 'ja3s', value };
    if (relation === 'ja3-fingerprint-md5' || type === 'ja3-fingerprint-md5') return { type: 'ja3', value };
  }
  if (relation === 'ja4-fingerprint') {
    const kind = JA4_TYPES[(textOf(attribute['ja4Type']) ?? 'JA4').toLowerCase()];
    if (kind !== 'ja4') return kind ? { type: kind, value } : null;
    return ja4Form(value) ?? null;
  }
  const simple = TYPES[type];
  if (simple) return { type: simple, value };
  const [kind, side] = COMPOSITE[type] ?? [];
  if (kind === undefined) return undefined;
  const bar = side === 'right' ? value.lastIndexOf('|') : value.indexOf('|');
  if (bar === -1) return null;
  return { type: kind, value: side === 'right' ? value.slice(bar + 1) : value.slice(0, bar) };
}

/** `[{"response":[{"Event":…}]}]` needs five. */
const MAX_DEPTH = 8;

const DESCRIBING = new Set(['ja4-type', 'description', 'filename', 'first-seen', 'last-seen']);

const TYPES: Partial<Record<string, SimpleType>> = {
  'x509-fingerprint-sha1': 'certSha1',
  'x509-fingerprint-sha256': 'certSha256',
  'x509-fingerprint-md5': 'certMd5',
  md5: 'md5',
  sha1: 'sha1',
  sha256: 'sha256',
  hostname: 'serverName',
  domain: 'domain',
  'ip-src': 'ip',
  'ip-dst': 'ip',
};

/** `a|b` attributes, and the side that counts. */
const COMPOSITE: Partial<Record<string, readonly [SimpleType, 'left' | 'right']>> = {
  'filename|md5': ['md5', 'right'],
  'filename|sha1': ['sha1', 'right'],
  'filename|sha256': ['sha256', 'right'],
  'malware-sample': ['md5', 'right'],
  'domain|ip': ['domain', 'left'],
  'hostname|port': ['serverName', 'left'],
  'ip-src|port': ['ip', 'left'],
  'ip-dst|port': ['ip', 'left'],
};

const JA4_TYPES: Partial<Record<string, SimpleType>> = {
  ja4: 'ja4',
  ja4s: 'ja4s',
  ja4h: 'ja4h',
  ja4l: 'ja4l',
  ja4x: 'ja4x',
  ja4t: 'ja4t',
  ja4ts: 'ja4ts',
  ja4tscan: 'ja4tscan',
  ja4ssh: 'ja4ssh',
};
