import { parseClientHello } from '../tls/client-hello.js';
import { ja4Dialects } from '../tls/dialects.js';
import { isGrease } from '../tls/grease.js';
import { ja4, ja4OriginalParts, ja4Raw, type Transport } from '../tls/ja4.js';
import { ByOutline, Outline } from '../tls/outline.js';
import type { ComparableHandshake } from './hit.js';

/** A JA4 in another form than the specified sorted one. */
export interface Ja4Form {
  /** `ja4_o`, `ja4_ro`, or the dialect of other tools. */
  readonly name: string;
  readonly type: 'ja4' | 'ja4r';
  readonly value: string;
}

/**
 * Derives all forms of a client's hello that feeds are known to carry, beside `ja4` and `ja4_r`; none where it has no JA4. What was
 * derived is remembered by the outline of the hello, from which it follows.
 */
export function ja4Forms(): (row: ComparableHandshake) => readonly Ja4Form[] {
  const outline = new Outline();
  const known = new ByOutline<readonly Ja4Form[]>();
  return (row) => {
    if (!hasJa4(row)) return NONE;
    const message = messageOf(row);
    const outlined = outline.of(message, 'client', row.transport);
    const remembered = outlined ? known.get(outline) : undefined;
    if (remembered) return remembered;
    const forms = formsOf(message, row.transport);
    if (outlined) known.set(outline, forms);
    return forms;
  };
}

function hasJa4(row: ComparableHandshake): boolean {
  return row.kind === 'client' && row.fingerprints?.ja4 !== undefined;
}

function messageOf(row: ComparableHandshake): Buffer {
  return Buffer.from(row.hello.raw, 'base64');
}

function formsOf(message: Buffer, transport: Transport): readonly Ja4Form[] {
  const { hello } = parseClientHello(message, transport === 'dtls');
  if (!hello?.intact) return NONE;
  const original = ja4OriginalParts(hello, transport);
  const forms: Ja4Form[] = [
    { name: 'ja4_o', type: 'ja4', value: ja4(original) },
    { name: 'ja4_ro', type: 'ja4r', value: ja4Raw(original) },
  ];
  if (!toolsMayDiffer(hello)) return forms;
  for (const dialect of ja4Dialects(hello, transport)) {
    forms.push({ name: dialect.dialect, type: 'ja4', value: dialect.ja4 });
    forms.push({ name: dialect.dialect, type: 'ja4r', value: dialect.ja4r });
  }
  return forms;
}

/** The cases in which known tools deviate; deriving their forms costs ten hashes, and most hellos are none of these. */
function toolsMayDiffer(hello: {
  cipherSuites: readonly number[];
  signatureAlgorithms: readonly number[];
  alpn: readonly string[];
}): boolean {
  const alpn = hello.alpn[0] ?? '';
  return (
    hello.cipherSuites.every(isGrease) ||
    hello.signatureAlgorithms.every(isGrease) ||
    hello.signatureAlgorithms.some(isGrease) ||
    alpn.length === 1 ||
    !/^(?:|[0-9A-Za-z](?:.*[0-9A-Za-z])?)$/s.test(alpn)
  );
}

const NONE: readonly Ja4Form[] = [];
