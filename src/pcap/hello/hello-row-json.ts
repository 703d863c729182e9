import { describeHello, type HelloDescription } from '../../tls/describe.js';
import { FingerprintCache } from '../../tls/fingerprint-cache.js';
import { ByOutline, Outline } from '../../tls/outline.js';
import { latin1 } from '../../tls/reader.js';
import type { TextPart } from '../../text-parts.js';
import type { HelloEnds } from '../flow/hello-extractor.js';
import { TimeText } from '../../snapshot/time-text.js';
import type { UntimedHello } from './hello-batch.js';

/**
 * The JSON of helloRow(), many times as fast as making the row and stringifying it: clients are few and hellos are many, so
 * the text of all that follows from a hello's outline is kept with it, as it will be in the file. A test holds the two against
 * each other.
 */
export class HelloRowJson {
  private readonly cache = new FingerprintCache();
  private readonly outline = new Outline();
  private readonly texts = new ByOutline<DescribedTexts>();
  private readonly time = new TimeText();
  private readonly how = new HowText();

  /** The row's fields, from behind the opening brace to the closing one. Never joined: that would copy each text twice. */
  fields(seconds: number, nanos: number, hello: UntimedHello, { from, to }: HelloEnds): readonly TextPart[] {
    const { kind, transport, raw } = hello;
    const { before, name, after, error } = this.described(hello);
    const why = hello.error ?? error;
    return [
      `"time":"${this.time.of(seconds, nanos)}","bootTimeNs":null,"kind":"${kind}","role":null,` +
        `"transport":"${transport}","flow":{"src":"${from.address}","srcPort":${from.port},"dst":"${to.address}",` +
        `"dstPort":${to.port},"netns":null,"cookie":null},"process":null,"hello":{"raw":"`,
      raw.toString('base64'),
      this.how.of(hello),
      before,
      name,
      after,
      why === null ? NO_ERROR : `,"kernel":null,"error":${JSON.stringify(why)}}`,
    ];
  }

  private described({ raw, kind, transport, sslv2 }: UntimedHello): Described {
    const { outline } = this;
    const outlined = !sslv2 && outline.of(raw, kind, transport);
    let texts = outlined ? this.texts.get(outline) : undefined;
    if (texts === undefined) {
      const description = describeHello(raw, { kind, transport, sslv2, cache: this.cache });
      texts = outlined ? describedTexts(description) : undefined;
      if (texts === undefined) return { before: wholeText(description), name: '', after: '', error: description.error };
      this.texts.set(outline, texts);
    }
    const { nameStart, nameEnd } = outline;
    const name = nameEnd === 0 ? 'null' : JSON.stringify(latin1(raw, nameStart, nameEnd));
    return { before: texts.before, name, after: texts.after, error: null };
  }
}

/** How a hello came, which it mostly has in common with the one before. */
class HowText {
  private last: How | null = null;
  private text: Uint8Array = Buffer.alloc(0);

  of({ complete, segments, records, streamOffset, sslv2, afterRetry }: UntimedHello): Uint8Array {
    const { last } = this;
    if (
      last?.complete === complete &&
      last.segments === segments &&
      last.records === records &&
      last.streamOffset === streamOffset &&
      last.sslv2 === sslv2 &&
      last.afterRetry === afterRetry
    ) {
      return this.text;
    }
    this.last = { complete, segments, records, streamOffset, sslv2, afterRetry };
    this.text = Buffer.from(`",${JSON.stringify(this.last).slice(1)},`);
    return this.text;
  }
}

type How = Pick<UntimedHello, 'complete' | 'segments' | 'records' | 'streamOffset' | 'sslv2' | 'afterRetry'>;

/** `"tls":…,"fingerprints":…` in three parts, and what could not be read. */
interface Described {
  readonly before: TextPart;
  readonly name: string;
  readonly after: TextPart;
  readonly error: string | null;
}

/** What stands before the server name, and behind it. */
interface DescribedTexts {
  readonly before: Uint8Array;
  readonly after: Uint8Array;
}

/** Undefined for a hello with which something is wrong, or that has no fingerprint. */
function describedTexts({ tls, fingerprints, error }: HelloDescription): DescribedTexts | undefined {
  if (tls === null || fingerprints === null || error !== null) return undefined;
  const { legacyVersion, version } = tls;
  const rest = { ...tls, legacyVersion: undefined, version: undefined, serverName: undefined };
  return {
    before: Buffer.from(
      `"tls":{"legacyVersion":${JSON.stringify(legacyVersion)},"version":${JSON.stringify(version)},"serverName":`,
    ),
    after: Buffer.from(`,${JSON.stringify(rest).slice(1)},"fingerprints":${JSON.stringify(fingerprints)}`),
  };
}

function wholeText({ tls, fingerprints }: HelloDescription): string {
  return `"tls":${JSON.stringify(tls)},"fingerprints":${JSON.stringify(fingerprints)}`;
}

const NO_ERROR = Buffer.from(',"kernel":null,"error":null}');
