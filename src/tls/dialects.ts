/**
 * JA4 as tools write it that deviate from the definition. Never recorded; only for recognising what a feed holds.
 */
import type { ClientHello } from './client-hello.js';
import {
  hashedExtensions,
  ja4,
  ja4Parts,
  ja4Raw,
  sectionA,
  sectionC,
  truncatedSha256,
  withoutGrease,
  type Transport,
} from './ja4.js';

export type DialectName = 'suricata' | 'foxio-alpn' | 'grease-signature-algorithms';

export interface Ja4Dialect {
  readonly dialect: DialectName;
  readonly ja4: string;
  readonly ja4r: string;
}

/** What deviating tools would write for this hello; those that agree with the definition here are left out. */
export function ja4Dialects(hello: ClientHello, transport: Transport): Ja4Dialect[] {
  const specified = ja4(ja4Parts(hello, transport));
  return [suricataJa4, foxioAlpnJa4, greaseSignatureAlgorithmsJa4]
    .map((dialect) => dialect(hello, transport))
    .filter((dialect) => dialect.ja4 !== specified);
}

/** Suricata hashes empty lists too, and always puts `_` before the signature algorithms (rust/src/ja4.rs). */
export function suricataJa4(hello: ClientHello, transport: Transport): Ja4Dialect {
  const parts = ja4Parts(hello, transport);
  const c = parts.c.includes('_') ? parts.c : `${parts.c}_`;
  return {
    dialect: 'suricata',
    ja4: `${parts.a}_${truncatedSha256(parts.b)}_${truncatedSha256(c)}`,
    ja4r: ja4Raw({ ...parts, c }),
  };
}

/**
 * FoxIO's tools before they followed their own definition: an ALPN byte beyond ASCII is `9`, any other is itself, and a name of one
 * byte has `0` for its second (rust/ja4/src/tls.rs).
 */
export function foxioAlpnJa4(hello: ClientHello, transport: Transport): Ja4Dialect {
  const parts = { ...ja4Parts(hello, transport) };
  const counts = [withoutGrease(hello.cipherSuites).length, withoutGrease(hello.extensions).length] as const;
  parts.a = sectionA(hello, transport, ...counts, foxioAlpn(hello.alpn[0] ?? ''));
  return { dialect: 'foxio-alpn', ja4: ja4(parts), ja4r: ja4Raw(parts) };
}

/** Tools that take GREASE out of ciphers and extensions, and leave it in the signature algorithms. */
export function greaseSignatureAlgorithmsJa4(hello: ClientHello, transport: Transport): Ja4Dialect {
  const c = sectionC(hashedExtensions(withoutGrease(hello.extensions)), hello.signatureAlgorithms);
  const parts = { ...ja4Parts(hello, transport), c };
  return { dialect: 'grease-signature-algorithms', ja4: ja4(parts), ja4r: ja4Raw(parts) };
}

function foxioAlpn(name: string): string {
  const character = (at: number): string => {
    const code = name.charCodeAt(at);
    return Number.isNaN(code) ? '0' : code > 0x7f ? '9' : String.fromCharCode(code);
  };
  return character(0) + (name.length > 1 ? character(name.length - 1) : '0');
}
