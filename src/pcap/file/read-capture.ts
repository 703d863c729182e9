import { ioError, TlsnapError } from '../../errors.js';
import type { ByteSource } from './byte-source.js';
import { type CaptureFault, type CaptureFormat, MAX_RECORD } from './capture-format.js';
import type { PacketSink } from './captured-packet.js';
import { openClassicPcap, PCAP_HEADER_LENGTH } from './classic-pcap.js';
import { isPcapng, Pcapng } from './pcapng.js';

/** What a capture file held, and where reading it ended early. */
export interface CaptureSummary {
  readonly format: 'pcap' | 'pcapng';
  readonly bytes: number;
  readonly packets: number;
  /** Records larger than any packet, passed over unread. */
  readonly oversized: number;
  readonly fault: CaptureFault | null;
  /** True where reading was ended early because it was asked to: what comes after `bytes` is not known. */
  readonly stopped: boolean;
}

/** Asked after each piece of the file; while the promise is pending nothing more is parsed. */
export type AfterPiece = (bytesRead: number) => Promise<void> | undefined;

/**
 * Hands every packet of a capture to `sink`. The next piece is read while one is parsed; memory is two pieces, however
 * large the file. Throws TlsnapError (kind `input`) where nothing could be read; a file that is only cut off or
 * damaged further on gives what came before, and says so in `fault`.
 */
export async function readCapture(
  source: ByteSource,
  sink: PacketSink,
  afterPiece: AfterPiece = () => undefined,
): Promise<CaptureSummary> {
  // Each buffer has room in front for what the last piece left over: never as much as a record.
  let current = Buffer.allocUnsafeSlow(HEADROOM + PIECE);
  let other = Buffer.allocUnsafeSlow(HEADROOM + PIECE);
  let start = HEADROOM;
  let end = HEADROOM + (await readSome(source, current.subarray(HEADROOM), PCAP_HEADER_LENGTH));
  if (end === start && source.stopped) throw new TlsnapError('input', source.name, 'gave nothing before it was ended');
  // What was unpacked before the gzip data broke is less than any capture.
  if (source.fault && end - start < PCAP_HEADER_LENGTH) {
    throw nothingRead(source.name, { offset: end - start, ...source.fault });
  }
  const format = recogniseCapture(current.subarray(start, end), sink, source.name);
  let position = 0; // of `start` in the file
  let skip = 0;
  for (;;) {
    const filling = other.subarray(HEADROOM);
    const reading = readSome(source, filling, 1);
    // Parsing below may throw before this is awaited.
    reading.catch(() => undefined);
    const skipped = Math.min(skip, end - start);
    skip -= skipped;
    start += skipped;
    position += skipped;
    const taken = format.consume(current, start, end, position);
    position += Math.min(taken, end) - start;
    skip += Math.max(0, taken - end);
    const left = taken < end ? end - taken : 0;
    await afterPiece(position);
    const read = format.fault ? 0 : await reading;
    if (read === 0) {
      await reading;
      if (!source.stopped) format.finish(left + Math.min(skip, 1), position);
      break;
    }
    current.copy(other, HEADROOM - left, end - left, end);
    start = HEADROOM - left;
    end = HEADROOM + read;
    [current, other] = [other, current];
  }
  const fault = endOf(format.fault, source.fault, position);
  if (fault && format.packets === 0) throw nothingRead(source.name, fault);
  const { name, packets, oversized } = format;
  return { format: name, bytes: position, packets, oversized, fault, stopped: source.stopped };
}

/** The format that a file starting with these bytes has. Throws TlsnapError (`input`) where it is neither. */
export function recogniseCapture(head: Buffer, sink: PacketSink, name: string): CaptureFormat {
  const format = isPcapng(head) ? new Pcapng(sink) : openClassicPcap(head, sink);
  if (format) return format;
  const detail = head.length === 0 ? 'is empty' : 'is neither pcap nor pcapng';
  throw new TlsnapError('input', name, detail, [
    'Name a capture file as tcpdump, dumpcap or Wireshark write it, gzip’d or not.',
  ]);
}

/** Where unpacking broke, that is why the capture ends inside a packet; but not why a packet before says what cannot be. */
function endOf(inFormat: CaptureFault | null, inSource: ByteSource['fault'], position: number): CaptureFault | null {
  if (inSource === null || inFormat?.kind === 'damaged') return inFormat;
  return { offset: position, ...inSource };
}

function nothingRead(name: string, fault: CaptureFault): TlsnapError {
  return new TlsnapError('input', name, `holds no readable packet: at byte ${fault.offset}, ${fault.detail}`, [
    'Copy the capture again; if it was cut off while it was written, there is nothing in it to import.',
  ]);
}

/** Reads until `least` bytes are there, or the end; never more than `target` holds. */
async function readSome(source: ByteSource, target: Buffer, least: number): Promise<number> {
  let length = 0;
  try {
    while (length < least) {
      const read = await source.read(target.subarray(length));
      if (read === 0) break;
      length += read;
    }
  } catch (error) {
    throw ioError(source.name, error);
  }
  return length;
}

const PIECE = 1 << 20;
const HEADROOM = MAX_RECORD + 64;
