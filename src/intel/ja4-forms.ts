import { parseClientHello } from '../tls/client-hello.js';
import { ja4, ja4OriginalParts, ja4Raw } from '../tls/ja4.js';
import type { ComparableHandshake } from './matches.js';

/** A JA4 in another form than the specified sorted one. */
export interface Ja4Form {
  /** `ja4_o`, `ja4_ro`, or the tool whose dialect it is. */
  readonly name: string;
  readonly type: 'ja4' | 'ja4r';
  readonly value: string;
}

/** All forms of a client's hello that feeds are known to carry, beside `ja4` and `ja4_r`. Empty where it has no JA4. */
export function ja4FormsOf(row: ComparableHandshake): readonly Ja4Form[] {
  if (row.kind !== 'client' || row.fingerprints?.ja4 === undefined) return [];
  const { hello } = parseClientHello(Buffer.from(row.hello.raw, 'base64'), row.transport === 'dtls');
  if (hello === null) return [];
  if (hello === null) return [];
  const original = ja4OriginalParts(hello, row.transport);
  return [
    { name: 'ja4_o', type: 'ja4', value: ja4(original) },
    { name: 'ja4_ro', type: 'ja4r', value: ja4Raw(original) },
  ];
}
