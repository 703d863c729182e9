import { parseClientHello } from '../tls/client-hello.js';
import { Extension } from '../tls/extensions.js';
import type { Fingerprints } from '../tls/fingerprints.js';
import { isGrease } from '../tls/grease.js';
import { ja3, ja3String } from '../tls/ja3.js';
import { ja4, ja4ResumptionStableParts, type Transport } from '../tls/ja4.js';

/** What one client sends whatever it remembers of the server, and in whatever order it shuffles. Not a JA3 or JA4. */
export interface NormalForm {
  /** JA4 in its resumption-stable form. */
  readonly ja4: string;
  /** MD5 of a JA3 string whose extensions are sorted, without those that come and go. */
  readonly ja3: string;
  /** The order in which extensions and cipher suites are sent, which tells one TLS library from another. */
  readonly shape: StackShape;
}

export interface StackShape {
  readonly grease: boolean;
  /** Without GREASE, padding and pre_shared_key, whose places are fixed by other rules. */
  readonly extensions: readonly number[];
  /** Without GREASE. */
  readonly cipherSuites: readonly number[];
}

/** Normal forms of hellos; equal fingerprints that come from one FingerprintCache are looked up, not computed. */
export class NormalForms {
  readonly #known = new WeakMap<Fingerprints, NormalForm>();

  /** `fingerprints` are those of the hello; null where its bytes give no normal form. */
  client(raw: string, transport: Transport, fingerprints: Fingerprints): NormalForm | null {
    const known = this.#known.get(fingerprints);
    if (known) return known;
    const form = clientNormalForm(Buffer.from(raw, 'base64'), transport);
    if (form) this.#known.set(fingerprints, form);
    return form;
  }
}

/** Null for a hello that is cut short or malformed. */
export function clientNormalForm(message: Uint8Array, transport: Transport): NormalForm | null {
  const { hello } = parseClientHello(message, transport === 'dtls');
  if (!hello?.intact) return null;
  const lasting = hello.extensions.filter((type) => !PASSING.has(type));
  const sorted = [...lasting].sort((a, b) => a - b);
  return {
    ja4: ja4(ja4ResumptionStableParts({ ...hello, extensions: lasting }, transport)),
    ja3: ja3(ja3String({ ...hello, extensions: sorted })),
    shape: {
      grease: hello.cipherSuites.some(isGrease) || hello.extensions.some(isGrease),
      extensions: lasting.filter((type) => !isGrease(type)),
      cipherSuites: hello.cipherSuites.filter((suite) => !isGrease(suite)),
    },
  };
}

/** A JA3S string with its extensions sorted, without those that a server leaves out of, or adds to, a resumption. */
export function serverNormalForm(ja3sString: string): string {
  const [version = '', cipher = '', extensions = ''] = ja3sString.split(',');
  const types = extensions === '' ? [] : extensions.split('-').map(Number);
  const lasting = types.filter((type) => !PASSING_IN_ANSWERS.has(type)).sort((a, b) => a - b);
  return ja3(`${version},${cipher},${lasting.join('-')}`);
}

/**
 * Whether two hellos can be of one TLS library with different settings. A library writes its extensions in an order of
 * its own, or shuffles them all; settings add and remove some, and reorder cipher suites, but no setting does both.
 */
export function sameStack(one: StackShape, other: StackShape): boolean {
  if (one.grease !== other.grease) return false;
  return sameOrder(one.extensions, other.extensions) || sameOrder(one.cipherSuites, other.cipherSuites);
}

/** Whether those that both have come in the same order, and are enough to tell. */
function sameOrder(one: readonly number[], other: readonly number[]): boolean {
  const places = new Map(other.map((value, at) => [value, at]));
  const shared = one.map((value) => places.get(value)).filter((place) => place !== undefined);
  if (shared.length * 2 < Math.min(one.length, other.length)) return false;
  return shared.every((place, at) => at === 0 || place > (shared[at - 1] ?? -1));
}

const EARLY_DATA = 42;
const COOKIE = 44;
const STATUS_REQUEST = 5;
const SIGNED_CERTIFICATE_TIMESTAMP = 18;
/**
 * What depends on what the client remembers of the server or was just told by it (RFC 8446, sections 4.2.2, 4.2.10
 * and 4.2.11; RFC 5077; RFC 7685).
 */
const PASSING: ReadonlySet<number> = new Set([
  Extension.sessionTicket,
  Extension.preSharedKey,
  Extension.padding,
  EARLY_DATA,
  COOKIE,
]);
/** Beside those: a resuming server does not repeat server_name (RFC 6066, 3), status_request, or SCT (RFC 6962, 3.3.1). */
const PASSING_IN_ANSWERS: ReadonlySet<number> = new Set([
  ...PASSING,
  Extension.serverName,
  STATUS_REQUEST,
  SIGNED_CERTIFICATE_TIMESTAMP,
]);
