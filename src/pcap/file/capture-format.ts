/** Why the rest of a capture could not be read, and where that begins. */
export interface CaptureFault {
  /** Byte offset in the (unpacked) file. */
  readonly offset: number;
  /** `cut`: the file ends inside a record, all before it is good. `damaged`: a record says what cannot be. */
  readonly kind: 'cut' | 'damaged';
  readonly detail: string;
}

/** A capture format, fed with pieces of the file. It keeps no bytes itself: what it does not take is given again. */
export interface CaptureFormat {
  readonly name: 'pcap' | 'pcapng';
  /** The first thing that was wrong; once set, no more packets come. */
  readonly fault: CaptureFault | null;
  /** Packets handed on so far. */
  readonly packets: number;
  /** Packets that were passed over unread, because their records are larger than MAX_RECORD. */
  readonly oversized: number;
  /**
   * Takes whole records from buffer[start, end) and hands their packets on. Returns the offset of the first byte not
   * taken; one beyond `end` asks for that many bytes of the file to be skipped.
   * @param fileOffset where in the file `start` is, for error messages
   */
  consume(buffer: Buffer, start: number, end: number, fileOffset: number): number;
  /** Tells that the file ended with buffer[start, end) not taken. */
  finish(remaining: number, fileOffset: number): void;
}

/** Larger records of packets are passed over or, where the format has nothing to resynchronise by, end the reading. No real packet is as large. */
export const MAX_RECORD = 1 << 20;
