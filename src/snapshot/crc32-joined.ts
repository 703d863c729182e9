/**
 * The CRC-32 (RFC 1952, section 8) of two runs of bytes, one behind the other, from the CRC of each: that of the first is
 * moved on by as many zeros as the second has bytes, by squaring the step of one bit (Mark Adler's method).
 * @param length of the second run, in bytes
 */
export function joinedCrc32(first: number, second: number, length: number): number {
  let crc = first;
  let step = squared(squared(squared(ONE_BIT)));
  for (let left = length; left > 0; left = Math.floor(left / 2)) {
    if (left % 2 === 1) crc = applied(step, crc);
    step = squared(step);
  }
  return (crc ^ second) >>> 0;
}

/** A linear map of 32 bits to 32 bits: what each single bit becomes. */
type Step = readonly number[];

function applied(step: Step, bits: number): number {
  let sum = 0;
  for (let bit = 0; bit < 32; bit++) if ((bits >>> bit) & 1) sum ^= step[bit] ?? 0;
  return sum;
}

function squared(step: Step): Step {
  return step.map((bits) => applied(step, bits));
}

/** One zero bit behind: the register moves down by one, and its lowest bit becomes the polynomial. */
const ONE_BIT: Step = Array.from({ length: 32 }, (_, bit) => (bit === 0 ? 0xedb88320 : 1 << (bit - 1)));
