import { describeHello, type Fingerprints, type Tls } from '../../tls/describe.js';
import { FingerprintCache } from '../../tls/fingerprint-cache.js';
import type { HelloEnds } from '../flow/hello-extractor.js';
import type { CapturedHello } from './captured-hello.js';
import { TimeText } from '../../snapshot/time-text.js';

/**
 * The JSON of helloRow(), several times as fast as making the row and stringifying it: clients are few and hellos are many, so
 * the text of all that makes a fingerprint is kept with it. A test holds the two against each other.
 */
export class HelloRowJson {
  private readonly cache = new FingerprintCache();
  /** The cache gives the same object only to hellos that agree in everything these texts say. */
  private readonly texts = new WeakMap<Fingerprints, ClientTexts>();
  private readonly time = new TimeText();

  /** One line without a line end. */
  json(hello: CapturedHello, { from, to }: HelloEnds): string {
    const { kind, transport, sslv2, complete, segments, records, streamOffset, afterRetry } = hello;
    const raw = Buffer.from(hello.raw.buffer, hello.raw.byteOffset, hello.raw.byteLength);
    const { tls, fingerprints, error } = describeHello(raw, { kind, transport, sslv2, cache: this.cache });
    const described =
      kind === 'client' && tls !== null && fingerprints !== null
        ? this.client(tls, fingerprints)
        : `"tls":${JSON.stringify(tls)},"fingerprints":${JSON.stringify(fingerprints)}`;
    const why = hello.error ?? error;
    return (
      `{"time":"${this.time.of(hello.timeNs)}","bootTimeNs":null,"kind":"${kind}","role":null,"transport":"${transport}",` +
      `"flow":{"src":"${from.address}","srcPort":${from.port},"dst":"${to.address}","dstPort":${to.port},` +
      `"netns":null,"cookie":null},"process":null,"hello":{"raw":"${raw.toString('base64')}","complete":${complete},` +
      `"segments":${segments},"records":${records},"streamOffset":${streamOffset},"sslv2":${sslv2},` +
      `"afterRetry":${afterRetry}},${described},"kernel":null,"error":${why === null ? 'null' : JSON.stringify(why)}}`
    );
  }

  private client(tls: Tls, fingerprints: Fingerprints): string {
    let texts = this.texts.get(fingerprints);
    if (!texts) {
      texts = clientTexts(tls, fingerprints);
      this.texts.set(fingerprints, texts);
    }
    return `${texts.before}${JSON.stringify(tls.serverName)},"alpn":${JSON.stringify(tls.alpn)}${texts.after}`;
  }
}

/** What stands before the server name, and behind the protocol names. */
interface ClientTexts {
  readonly before: string;
  readonly after: string;
}

function clientTexts(tls: Tls, fingerprints: Fingerprints): ClientTexts {
  const { legacyVersion, version } = tls;
  const rest = { ...tls, legacyVersion: undefined, version: undefined, serverName: undefined, alpn: undefined };
  return {
    before: `"tls":{"legacyVersion":${JSON.stringify(legacyVersion)},"version":${JSON.stringify(version)},"serverName":`,
    after: `,${JSON.stringify(rest).slice(1)},"fingerprints":${JSON.stringify(fingerprints)}`,
  };
}
