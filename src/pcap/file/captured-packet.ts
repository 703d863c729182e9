/** Turns the two 32-bit halves of a capture file's timestamp into nanoseconds since 1970 UTC. */
export interface Clock {
  toNs(high: number, low: number): bigint;
}

/**
 * One packet as the capture file holds it. There is a single instance for a whole file, rewritten for every packet:
 * a file of many million packets must not make as many objects. Whoever keeps bytes of it copies them.
 */
export class CapturedPacket {
  /** Holds the packet at [start, end); valid only until the next packet. */
  buffer: Buffer = Buffer.alloc(0);
  start = 0;
  end = 0;
  /** The packet's number in the file, from 1, as Wireshark counts. */
  frame = 0;
  /** LINKTYPE_ value (https://www.tcpdump.org/linktypes.html). */
  linkType = 0;
  clock: Clock = NO_CLOCK;
  /** The timestamp's halves; what they mean is the clock's business. */
  timeHigh = 0;
  timeLow = 0;

  /** When the packet was captured, in nanoseconds since 1970 UTC; asked only for packets that matter. */
  timeNs(): bigint {
    return this.clock.toNs(this.timeHigh, this.timeLow);
  }
}

/** Takes packets in file order. */
export interface PacketSink {
  packet(packet: CapturedPacket): void;
}

/** Seconds and a fraction of `unitNs` nanoseconds each: classic pcap. */
export function secondsClock(unitNs: 1 | 1000): Clock {
  const unit = BigInt(unitNs);
  return { toNs: (seconds, fraction) => BigInt(seconds) * 1_000_000_000n + BigInt(fraction) * unit };
}

/** A 64-bit count of ticks, `ticksPerSecond` of them a second, counted from `offsetSeconds`: pcapng (if_tsresol, if_tsoffset). */
export function tickClock(ticksPerSecond: bigint, offsetSeconds: bigint): Clock {
  return {
    toNs: (high, low) => {
      const ticks = (BigInt(high) << 32n) | BigInt(low);
      const ns = (ticks * 1_000_000_000n) / ticksPerSecond + offsetSeconds * 1_000_000_000n;
      return ns < 0n ? 0n : ns;
    },
  };
}

/** The clock of packets whose record says no time: none is made up, and what needs one gets the beginning of 1970. */
export const NO_CLOCK: Clock = { toNs: () => 0n };
