import { describeHello, type HelloDescription } from '../../tls/describe.js';
import { FingerprintCache } from '../../tls/fingerprint-cache.js';
import { ByOutline, Outline } from '../../tls/outline.js';
import { latin1 } from '../../tls/reader.js';
import type { JsonPart } from '../../snapshot/row-file.js';
import type { FlowEnd } from '../flow/flow-end.js';
import type { HelloEnds } from '../flow/hello-extractor.js';
import { LAST_SECOND, SecondText } from '../../snapshot/time-text.js';
import { AsciiText } from './ascii-text.js';
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
  private readonly second = new SecondText();
  /** What stands before the raw bytes, and behind them. */
  private readonly head = new AsciiText(MAX_HEAD);
  private readonly how = new AsciiText(MAX_HOW);

  /**
   * The row's fields, from behind the opening brace to the closing one. Never joined: that would copy each text twice. Valid until
   * the next call.
   */
  fields(seconds: number, nanos: number, hello: UntimedHello, ends: HelloEnds): readonly JsonPart[] {
    const raw = Buffer.from(hello.raw.buffer, hello.raw.byteOffset, hello.raw.byteLength);
    const { before, name, after, error } = this.described(raw, hello);
    const why = hello.error ?? error;
    return [
      this.headOf(seconds, nanos, hello, ends),
      raw.toString('base64'),
      this.howOf(hello),
      before,
      name,
      after,
      why === null ? NO_ERROR : `,"kernel":null,"error":${JSON.stringify(why)}}`,
    ];
  }

  private headOf(seconds: number, nanos: number, hello: UntimedHello, { from, to }: HelloEnds): Uint8Array {
    const { kind, transport } = hello;
    const { head } = this;
    const [second, nano] = seconds > LAST_SECOND ? [LAST_SECOND, 999_999_999] : [seconds, nanos];
    head
      .clear()
      .ready(TEXT.time)
      .ready(this.second.of(second))
      .digits(nano, 9)
      .ready(TEXT[kind])
      .ready(TEXT[transport]);
    this.putAddress(from);
    head.ready(TEXT.srcPort).number(from.port).ready(TEXT.dst);
    this.putAddress(to);
    return head.ready(TEXT.dstPort).number(to.port).ready(TEXT.raw).bytes();
  }

  private putAddress(end: FlowEnd): void {
    if (end.family === 6) this.head.text(end.address);
    else {
      const [word] = end.words;
      for (let shift = 24; shift >= 0; shift -= 8) {
        this.head.number((word >>> shift) & 0xff);
        if (shift > 0) this.head.text('.');
      }
    }
  }

  private howOf({ complete, segments, records, streamOffset, sslv2, afterRetry }: UntimedHello): Uint8Array {
    const how = this.how
      .clear()
      .ready(complete ? TEXT.complete : TEXT.incomplete)
      .number(segments);
    how.ready(TEXT.records).number(records).ready(TEXT.streamOffset);
    if (streamOffset === null) how.text('null');
    else how.number(streamOffset);
    return how
      .ready(sslv2 ? TEXT.sslv2 : TEXT.notSslv2)
      .ready(afterRetry ? TEXT.afterRetry : TEXT.notAfterRetry)
      .bytes();
  }

  private described(raw: Buffer, { kind, transport, sslv2 }: UntimedHello): Described {
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

/** `"tls":…,"fingerprints":…` in three parts, and what could not be read. */
interface Described {
  readonly before: JsonPart;
  readonly name: string;
  readonly after: JsonPart;
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
/** What is the same in each row, by what stands behind it or which value it has. */
const TEXT = {
  time: Buffer.from('"time":"'),
  client: Buffer.from('Z","bootTimeNs":null,"kind":"client","role":null,"transport":"'),
  server: Buffer.from('Z","bootTimeNs":null,"kind":"server","role":null,"transport":"'),
  tcp: Buffer.from('tcp","flow":{"src":"'),
  quic: Buffer.from('quic","flow":{"src":"'),
  dtls: Buffer.from('dtls","flow":{"src":"'),
  srcPort: Buffer.from('","srcPort":'),
  dst: Buffer.from(',"dst":"'),
  dstPort: Buffer.from('","dstPort":'),
  raw: Buffer.from(',"netns":null,"cookie":null},"process":null,"hello":{"raw":"'),
  complete: Buffer.from('","complete":true,"segments":'),
  incomplete: Buffer.from('","complete":false,"segments":'),
  records: Buffer.from(',"records":'),
  streamOffset: Buffer.from(',"streamOffset":'),
  sslv2: Buffer.from(',"sslv2":true'),
  notSslv2: Buffer.from(',"sslv2":false'),
  afterRetry: Buffer.from(',"afterRetry":true},'),
  notAfterRetry: Buffer.from(',"afterRetry":false},'),
};
/** With two addresses of 45 characters each, and the longest values of all else. */
const MAX_HEAD = 384;
const MAX_HOW = 192;
