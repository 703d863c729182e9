/**
 * Conversation, HelloFinder and StreamAssembler. The input is a list of commands: a byte for direction and order, two for a length,
 * then as many bytes as that. Every direction is also fed whole and byte by byte, which must find the same.
 */
import { Conversation, type Direction } from '../../src/tls/conversation.js';
import { HelloFinder, type FoundHello } from '../../src/tls/hello-finder.js';
import { describeHello } from '../../src/tls/describe.js';
import { seedConnections } from '../hello-seeds.js';

export function fuzz(input: Uint8Array): void {
  const conversation = new Conversation({ stream: { maxPendingBytes: 4096, maxPendingPieces: 16 } });
  const offsets: [number, number] = [0, 0];
  const streams: [Uint8Array[], Uint8Array[]] = [[], []];
  const found: FoundHello[] = [];
  for (const { direction, jump, bytes } of commands(input)) {
    const offset = offsets[direction] + jump;
    found.push(...conversation.push(direction, offset, bytes));
    if (conversation.stream(direction).pendingBytes > 4096) throw new Error('more is waiting than allowed');
    offsets[direction] = Math.max(offsets[direction], offset + bytes.length);
    streams[direction].push(bytes);
  }
  found.push(...conversation.end());
  for (const hello of found) checkHello(hello, input.length);
  for (const stream of streams) checkCuts(stream);
}

export function seeds(): Uint8Array[] {
  return seedConnections('tcp').map((segments) =>
    Uint8Array.from(
      segments.flatMap(({ direction, payload }) => [direction, payload.length >> 8, payload.length & 0xff, ...payload]),
    ),
  );
}

/** At offset 0 there is a hello or not, however its bytes come. */
function checkCuts(pieces: readonly Uint8Array[]): void {
  const whole = Uint8Array.from(pieces.flatMap((piece) => [...piece])).subarray(0, 700);
  const atOnce = search([whole]);
  const byByte = search(Array.from(whole, (_, at) => whole.subarray(at, at + 1)));
  if (atOnce !== byByte) throw new Error(`whole: ${atOnce}; byte by byte: ${byByte}`);
}

function search(segments: readonly Uint8Array[]): string {
  const finder = new HelloFinder({ segmentBudget: 1_000_000 });
  const found = [...segments.flatMap((segment) => finder.push(segment)), ...finder.end()];
  const first = found.find(({ streamOffset }) => streamOffset === 0);
  if (first === undefined) return 'nothing';
  return `${first.kind} ${first.complete} ${first.records} ${first.sslv2} ${first.error} ${Buffer.from(first.raw).toString('hex')}`;
}

function checkHello(hello: FoundHello, limit: number): void {
  if (hello.raw.length > limit) throw new Error('longer than its input');
  if (hello.complete !== (hello.error === null)) throw new Error('cut short without an error, or the other way round');
  const { error, tls } = describeHello(hello.raw, { kind: hello.kind, transport: 'tcp', sslv2: hello.sslv2 });
  if (tls === null && error === null) throw new Error('nothing read, and no error');
}

function* commands(input: Uint8Array): Generator<{ direction: Direction; jump: number; bytes: Uint8Array }> {
  for (let at = 0; at + 3 <= input.length;) {
    const control = input[at] ?? 0;
    const length = ((input[at + 1] ?? 0) << 8) | (input[at + 2] ?? 0);
    // Five bits of disorder: mostly none, sometimes a hole or an overlap.
    const jump = (control & 2) === 0 ? 0 : ((control >> 2) & 0x1f) - 16;
    yield { direction: (control & 1) as Direction, jump, bytes: input.subarray(at + 3, at + 3 + length) };
    at += 3 + length;
  }
}
