import { commonClient } from './common-clients.js';
import { IDENTIFYING_FORMATS, type Indicator, type IndicatorPart } from './indicator.js';

/** How much a hit says. A fingerprint is not an atomic indicator: many programs share one. */
export type Confidence = 'low' | 'medium' | 'high';

/** What is known of the moment of a hit. */
export interface HitContext {
  /** When the handshake was seen, RFC 3339; null for a process. */
  readonly time: string | null;
  /** The fingerprints of the hello that was hit. */
  readonly ja3: string | null;
  readonly ja4: string | null;
  /** What else speaks for or against it. */
  readonly remarks: readonly Remark[];
}

/** A reason beside the rules, and what it does to the confidence. */
export interface Remark {
  readonly text: string;
  readonly effect: 'none' | 'lower';
}

/**
 * The rules, in the order in which they apply; docs/intel.md has them for users.
 * What matched sets the start; then doubt lowers it by steps: a fingerprint that ordinary software shares, an entry
 * that was last seen long before the handshake, one that expired, one that its own makers did not verify.
 */
export function judge(indicator: Indicator, context: HitContext): { confidence: Confidence; why: string[] } {
  const { level, why } = start(indicator);
  let doubt = 0;
  const shared = sharedBy(indicator, context);
  if (shared !== null) {
    why.push(shared.text);
    if (shared.lowers) doubt++;
  }
  if (IDENTIFYING_FORMATS.has(indicator.feed.format)) {
    why.push('the feed tells which program sends it, and accuses nobody');
  }
  if (indicator.observations !== null && indicator.observations >= OFTEN) {
    why.push(`the feed's makers saw it ${indicator.observations.toLocaleString('en')} times: widely shared`);
    doubt++;
  }
  if (indicator.verified === false) {
    why.push('the feed marks the entry as not verified');
    doubt++;
  }
  const age = ageRemark(indicator, context.time);
  if (age !== null) {
    why.push(age.text);
    // A file does not become another with time.
    if (age.old && indicator.type !== 'sha256') doubt++;
  }
  if (indicator.caveat !== null) why.push(indicator.caveat);
  for (const { text, effect } of context.remarks) {
    why.push(text);
    if (effect === 'lower') doubt++;
  }
  return { confidence: LEVELS[Math.max(0, LEVELS.indexOf(level) - doubt)] ?? 'low', why };
}

function start(indicator: Indicator): { level: Confidence; why: string[] } {
  switch (indicator.type) {
    case 'sha256':
      return { level: 'high', why: ['the executable has exactly this SHA-256'] };
    case 'pair':
      return {
        level: 'high',
        why: [`${indicator.parts?.length ?? 0} conditions hold on one connection: ${typesOf(indicator.parts ?? [])}`],
      };
    case 'serverName':
      return { level: 'medium', why: ['the client asked for exactly this server name'] };
    case 'domain':
      return { level: 'medium', why: ['the client asked for this name or one below it'] };
    case 'ip':
      return { level: 'low', why: ['an address alone: addresses are shared, and change hands'] };
    case 'ja4':
    case 'ja4r':
      if (indicator.verified === true) {
        return { level: 'medium', why: ["a JA4 alone, but verified by the feed's makers"] };
      }
      return { level: 'low', why: ['a JA4 alone names a TLS library and its settings, not a program'] };
    case 'ja3s':
    case 'ja3sString':
      return { level: 'low', why: ['a JA3S alone: it names a server library, and depends on the client too'] };
    default:
      return { level: 'low', why: ['a JA3 alone names a TLS library and its settings, not a program'] };
  }
}

/** Whether ordinary software sends what was hit. For a pair it is told, and the pair still counts. */
function sharedBy(indicator: Indicator, context: HitContext): { text: string; lowers: boolean } | null {
  const fingerprints = indicator.parts
    ? indicator.parts.map(({ value }) => value)
    : CLIENT_FINGERPRINTS.has(indicator.type)
      ? [indicator.value, context.ja3, context.ja4]
      : [];
  for (const fingerprint of fingerprints) {
    const client = fingerprint === null ? null : commonClient(fingerprint);
    if (client === null) continue;
    const part = indicator.parts ? 'one half of it' : 'the fingerprint';
    return {
      text: `common: ${part} is that of ${client.name} too (${client.source})`,
      lowers: indicator.parts === null,
    };
  }
  return null;
}

function ageRemark(indicator: Indicator, time: string | null): { text: string; old: boolean } | null {
  if (time === null) return null;
  const moment = Date.parse(time);
  if (indicator.validUntil !== null && Date.parse(indicator.validUntil) < moment) {
    return { text: `the feed let it expire on ${day(indicator.validUntil)}`, old: true };
  }
  const last = indicator.lastSeen ?? indicator.listed ?? indicator.firstSeen;
  if (last === null) return null;
  const days = Math.floor((moment - Date.parse(last)) / 86_400_000);
  if (Number.isNaN(days)) return null;
  const verb = indicator.lastSeen !== null ? 'last seen' : indicator.listed !== null ? 'listed' : 'first seen';
  if (days < 0) return { text: `${verb} on ${day(last)}, after the handshake`, old: false };
  return { text: `${verb} on ${day(last)}, ${ageInWords(days)} before the handshake`, old: days > OLD_DAYS };
}

function ageInWords(days: number): string {
  if (days < 60) return `${days} ${days === 1 ? 'day' : 'days'}`;
  return days < 730 ? `${Math.floor(days / 30)} months` : `${Math.floor(days / 365)} years`;
}

function day(time: string): string {
  return time.slice(0, 10);
}

function typesOf(parts: readonly IndicatorPart[]): string {
  return parts.map(({ type }) => type).join(' and ');
}

const LEVELS: readonly Confidence[] = ['low', 'medium', 'high'];
/** Malware changes its TLS settings, and infrastructure its owner, within months. */
const OLD_DAYS = 365;
/** ja4db counts most entries in ones and tens; browsers and libraries are in the thousands. */
const OFTEN = 1000;
const CLIENT_FINGERPRINTS: ReadonlySet<string> = new Set(['ja3', 'ja3Sha256', 'ja3String', 'ja4', 'ja4r']);
