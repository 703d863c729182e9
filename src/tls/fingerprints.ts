/** The fingerprints that the timeline keeps of a hello. */
import type { ClientHello } from './client-hello.js';
import { ja3, ja3Sha256, ja3sString, ja3String } from './ja3.js';
import { ja4, ja4Parts, ja4Raw, truncatedSha256, type Hash12, type Transport } from './ja4.js';
import type { ServerHello } from './server-hello.js';

/** Those of a client, or those of a server. */
export interface Fingerprints {
  readonly ja3?: string;
  readonly ja3Sha256?: string;
  readonly ja3String?: string;
  readonly ja4?: string;
  readonly ja4r?: string;
  readonly ja3s?: string;
  readonly ja3sString?: string;
}

/** To be asked only for a hello that is intact: of a list cut short it would be somebody else's fingerprint. */
export function clientFingerprints(
  hello: ClientHello,
  transport: Transport,
  hash12: Hash12 = truncatedSha256,
): Fingerprints {
  const text = ja3String(hello);
  const parts = ja4Parts(hello, transport);
  return { ja3: ja3(text), ja3Sha256: ja3Sha256(text), ja3String: text, ja4: ja4(parts, hash12), ja4r: ja4Raw(parts) };
}

/** To be asked only for a hello that is intact and no HelloRetryRequest. */
export function serverFingerprints(hello: ServerHello): Fingerprints {
  const text = ja3sString(hello);
  return { ja3s: ja3(text), ja3sString: text };
}
