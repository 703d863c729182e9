/** What a feed names, in the one form that every reader produces and the index looks up. */
export interface Indicator {
  readonly type: IndicatorType;
  /** Normalised: hashes and names in lowercase. A pair's parts joined by ` + `. */
  readonly value: string;
  /** The conditions of a `pair`, all of which must hold on one connection; null for anything else. */
  readonly parts: readonly IndicatorPart[] | null;
  /** Whose hello it describes; null where that has no meaning (a file hash) or the feed does not say. */
  readonly direction: 'client' | 'server' | null;
  readonly feed: FeedSource;
  /** 1-based line of the (unpacked, decoded) feed where the entry starts. */
  readonly line: number;
  readonly description: string;
  /** RFC 3339 UTC, or null where the feed does not say. */
  readonly firstSeen: string | null;
  readonly lastSeen: string | null;
  /** When the feed listed or last changed the entry. */
  readonly listed: string | null;
  readonly validUntil: string | null;
  /** Whether the feed says that somebody checked the entry; null where it does not say. */
  readonly verified: boolean | null;
  /** How often the feed's makers saw it; null where they do not say. */
  readonly observations: number | null;
  /** What the feed asks for besides, and is not compared; or what else weakens it. */
  readonly caveat: string | null;
}

export interface IndicatorPart {
  readonly type: SimpleType;
  readonly value: string;
}

/** Where an indicator is from; one object shared by all of a feed's indicators. */
export interface FeedSource {
  readonly path: string;
  readonly format: FeedFormat;
}

export const FEED_FORMATS = {
  'sslbl-ja3': 'abuse.ch SSLBL JA3 CSV',
  'sslbl-sha1': 'abuse.ch SSLBL certificate SHA-1 CSV',
  ja4db: 'ja4db JSON',
  'ja4plus-mapping': 'ja4plus-mapping CSV',
  'salesforce-list': 'salesforce JA3 list',
  misp: 'MISP JSON',
  stix: 'STIX 2.1 JSON',
  'zeek-intel': 'Zeek intel file',
  'suricata-rules': 'Suricata rules',
  'suricata-dataset': 'Suricata string dataset',
  'plain-list': 'plain list',
} as const;

export type FeedFormat = keyof typeof FEED_FORMATS;

/** Formats that name ordinary software: a hit identifies a program, and accuses nobody. */
export const IDENTIFYING_FORMATS: ReadonlySet<FeedFormat> = new Set(['salesforce-list', 'ja4db', 'ja4plus-mapping']);

/** What a snapshot can be compared with. `ja4` and `ja4r` stand for the sorted and the `_o` form: they cannot collide. */
export const COMPARABLE_TYPES = [
  'ja3',
  'ja3Sha256',
  'ja3String',
  'ja3s',
  'ja3sString',
  'ja4',
  'ja4r',
  'serverName',
  'domain',
  'ip',
  'sha256',
] as const;

/** What is understood and kept, but cannot be compared, and why. */
export const NOT_COMPARABLE = {
  sha1: 'a snapshot holds the SHA-256 of executables, no other hash',
  md5: 'a snapshot holds the SHA-256 of executables, no other hash',
  certSha1: 'a snapshot holds hellos, not certificates',
  certSha256: 'a snapshot holds hellos, not certificates',
  certMd5: 'a snapshot holds hellos, not certificates',
  ja4s: 'not supported: licence (FoxIO License 1.1)',
  ja4h: 'not supported: licence (FoxIO License 1.1)',
  ja4l: 'not supported: licence (FoxIO License 1.1)',
  ja4x: 'not supported: licence (FoxIO License 1.1)',
  ja4t: 'not supported: licence (FoxIO License 1.1)',
  ja4ts: 'not supported: licence (FoxIO License 1.1)',
  ja4tscan: 'not supported: licence (FoxIO License 1.1)',
  ja4ssh: 'not supported: licence (FoxIO License 1.1)',
} as const;

export type ComparableType = (typeof COMPARABLE_TYPES)[number];
export type UncomparableType = keyof typeof NOT_COMPARABLE;
export type SimpleType = ComparableType | UncomparableType;
export type IndicatorType = SimpleType | 'pair';

/** Why `indicator` cannot be compared with any snapshot; null where it can. */
export function whyNotComparable(indicator: Pick<Indicator, 'type' | 'parts'>): string | null {
  if (indicator.type !== 'pair') return whyTypeNotComparable(indicator.type);
  for (const part of indicator.parts ?? []) {
    const reason = whyTypeNotComparable(part.type);
    if (reason !== null) return `one of its conditions is a ${part.type}: ${reason}`;
    if (EXECUTABLE_HASHES.has(part.type)) return `it joins a handshake with an executable's ${part.type}`;
  }
  return null;
}

/** File hashes: compared with process rows, everything else with handshakes. */
export const EXECUTABLE_HASHES: ReadonlySet<IndicatorType> = new Set(['sha256', 'sha1', 'md5']);

/** Whose hello a type describes. */
export function directionOf(type: IndicatorType): 'client' | 'server' | null {
  if (type === 'ja3s' || type === 'ja3sString' || type === 'ja4s') return 'server';
  return CLIENT_TYPES.has(type) ? 'client' : null;
}

function whyTypeNotComparable(type: SimpleType): string | null {
  return (NOT_COMPARABLE as Partial<Record<SimpleType, string>>)[type] ?? null;
}

const CLIENT_TYPES: ReadonlySet<IndicatorType> = new Set([
  'ja3',
  'ja3Sha256',
  'ja3String',
  'ja4',
  'ja4r',
  'serverName',
  'domain',
]);
