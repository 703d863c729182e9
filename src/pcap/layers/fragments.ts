/**
 * IP fragments back to packets (RFC 791, RFC 8200 section 4.5), in bounded memory. Of overlapping fragments the bytes
 * that came first are kept: what a host does differs by system, and captures carry honest duplicates far more often.
 */
export class FragmentTable {
  /** Packets given up because the table was full, their fragments cannot fit together, or the rest did not come in time. */
  dropped = 0;
  private readonly pending = new Map<string, Partial>();
  private heldBytes = 0;

  /** Packets of which only some fragments have come. */
  get size(): number {
    return this.pending.size;
  }

  /**
   * Adds one fragment of the packet that `key` names.
   * @param header the bytes to put before the payload once it is whole (the IP header, as the caller wants it)
   * @param seconds when it was captured; another packet may have the same key a minute later
   * @param position where in the payload the fragment belongs, a multiple of 8
   * @returns header and payload once every byte is there, else null
   */
  add(key: string, seconds: number, header: Buffer, position: number, bytes: Buffer, more: boolean): Buffer | null {
    let partial = this.pending.get(key);
    if (partial && Math.abs(seconds - partial.startSeconds) > LIFETIME_SECONDS) {
      this.drop(key, partial);
      partial = undefined;
    }
    if (!partial) {
      this.makeRoom();
      partial = new Partial(seconds);
      this.pending.set(key, partial);
    }
    this.heldBytes -= partial.held;
    const fits = partial.add(position, bytes, more);
    this.heldBytes += partial.held;
    if (fits && !partial.complete) return null;
    this.pending.delete(key);
    this.heldBytes -= partial.held;
    if (fits) return Buffer.concat([header, partial.payload()]);
    this.dropped++;
    return null;
  }

  private makeRoom(): void {
    while (this.pending.size >= MAX_PACKETS || this.heldBytes > MAX_HELD_BYTES) {
      const oldest = this.pending.entries().next().value;
      if (!oldest) return;
      this.drop(...oldest);
    }
  }

  private drop(key: string, partial: Partial): void {
    this.pending.delete(key);
    this.heldBytes -= partial.held;
    this.dropped++;
  }
}

/** One packet's payload on its way. */
class Partial {
  /** When its first fragment was captured. */
  readonly startSeconds: number;
  private bytes = Buffer.alloc(0);
  /** One bit for each 8 bytes that have come. */
  private readonly units = new Uint8Array(MAX_PAYLOAD / UNIT / 8);
  private unitsPresent = 0;
  /** Payload length, known once the last fragment has come. */
  private total = -1;

  constructor(startSeconds: number) {
    this.startSeconds = startSeconds;
  }

  /** What keeping this costs, in bytes. */
  get held(): number {
    return this.bytes.length + this.units.length;
  }

  get complete(): boolean {
    return this.total >= 0 && this.unitsPresent === Math.ceil(this.total / UNIT);
  }

  payload(): Buffer {
    return this.bytes.subarray(0, this.total);
  }

  /** False where the fragment cannot belong to a packet with the others. */
  add(position: number, fragment: Buffer, more: boolean): boolean {
    const end = position + fragment.length;
    if (end > MAX_PAYLOAD || (more && (fragment.length % UNIT !== 0 || fragment.length === 0))) return false;
    if (!more) {
      if (this.total >= 0 && this.total !== end) return false;
      this.total = end;
    }
    if (this.total >= 0 && end > this.total) return false;
    if (this.bytes.length < end) {
      const grown = Buffer.alloc(Math.min(MAX_PAYLOAD, Math.max(end, this.bytes.length * 2)));
      this.bytes.copy(grown);
      this.bytes = grown;
    }
    for (let from = position; from < end; from += UNIT) {
      const unit = from / UNIT;
      const bit = 1 << (unit & 7);
      const seen = this.units[unit >> 3] ?? 0;
      if (seen & bit) continue;
      this.units[unit >> 3] = seen | bit;
      this.unitsPresent++;
      fragment.copy(this.bytes, from, from - position, Math.min(from + UNIT, end) - position);
    }
    return true;
  }
}

const UNIT = 8;
const MAX_PAYLOAD = 65_536;
/** RFC 8200, section 4.5. */
const LIFETIME_SECONDS = 60;
const MAX_PACKETS = 1024;
const MAX_HELD_BYTES = 16 << 20;
