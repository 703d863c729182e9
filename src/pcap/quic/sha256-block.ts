/**
 * SHA-256 (FIPS 180-4, section 6.2) of one 64-byte block on top of a state. Node's own hashes start and end with a whole message;
 * HMAC with one key again and again is twice as fast from a state that was kept, and a QUIC connection takes nine of them.
 */

/** Eight words of 32 bits. */
export type Sha256State = Int32Array;

/** What hashing writes to on its way, for all hashes of one capture. */
export interface HashingRoom {
  readonly block: Uint8Array;
  readonly state: Sha256State;
  readonly schedule: Int32Array;
}

export function hashingRoom(): HashingRoom {
  return { block: new Uint8Array(64), state: initialState(), schedule: new Int32Array(64) };
}

export function initialState(): Sha256State {
  return Int32Array.from(INITIAL);
}

/** Mixes the room's block into a state. */
export function mixBlock(state: Sha256State, { block, schedule }: HashingRoom): void {
  for (let at = 0; at < 16; at++) {
    const byte = at * 4;
    schedule[at] =
      ((block[byte] ?? 0) << 24) |
      ((block[byte + 1] ?? 0) << 16) |
      ((block[byte + 2] ?? 0) << 8) |
      (block[byte + 3] ?? 0);
  }
  for (let at = 16; at < 64; at++) {
    const early = schedule[at - 15] ?? 0;
    const late = schedule[at - 2] ?? 0;
    const s0 = rotated(early, 7) ^ rotated(early, 18) ^ (early >>> 3);
    const s1 = rotated(late, 17) ^ rotated(late, 19) ^ (late >>> 10);
    schedule[at] = ((schedule[at - 16] ?? 0) + s0 + (schedule[at - 7] ?? 0) + s1) | 0;
  }
  let a = state[0] ?? 0;
  let b = state[1] ?? 0;
  let c = state[2] ?? 0;
  let d = state[3] ?? 0;
  let e = state[4] ?? 0;
  let f = state[5] ?? 0;
  let g = state[6] ?? 0;
  let h = state[7] ?? 0;
  for (let at = 0; at < 64; at++) {
    const s1 = rotated(e, 6) ^ rotated(e, 11) ^ rotated(e, 25);
    const choice = (e & f) ^ (~e & g);
    const first = (h + s1 + choice + (CONSTANTS[at] ?? 0) + (schedule[at] ?? 0)) | 0;
    const s0 = rotated(a, 2) ^ rotated(a, 13) ^ rotated(a, 22);
    const majority = (a & b) ^ (a & c) ^ (b & c);
    const second = (s0 + majority) | 0;
    h = g;
    g = f;
    f = e;
    e = (d + first) | 0;
    d = c;
    c = b;
    b = a;
    a = (first + second) | 0;
  }
  state[0] = (state[0] ?? 0) + a;
  state[1] = (state[1] ?? 0) + b;
  state[2] = (state[2] ?? 0) + c;
  state[3] = (state[3] ?? 0) + d;
  state[4] = (state[4] ?? 0) + e;
  state[5] = (state[5] ?? 0) + f;
  state[6] = (state[6] ?? 0) + g;
  state[7] = (state[7] ?? 0) + h;
}

/** Writes the state as bytes, big-endian. */
export function writeState(state: Sha256State, target: Uint8Array): void {
  for (let at = 0; at < 8; at++) {
    const word = state[at] ?? 0;
    target[at * 4] = word >>> 24;
    target[at * 4 + 1] = word >>> 16;
    target[at * 4 + 2] = word >>> 8;
    target[at * 4 + 3] = word;
  }
}

function rotated(word: number, by: number): number {
  return (word >>> by) | (word << (32 - by));
}

/** The first 32 bits of the fractional parts of the square roots, and of the cube roots, of the first primes. */
const PRIMES = [
  ...[2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83, 89, 97, 101, 103, 107],
  ...[109, 113, 127, 131, 137, 139, 149, 151, 157, 163, 167, 173, 179, 181, 191, 193, 197, 199, 211, 223, 227, 229],
  ...[233, 239, 241, 251, 257, 263, 269, 271, 277, 281, 283, 293, 307, 311],
];
const fraction = (root: number): number => ((root - Math.floor(root)) * 2 ** 32) | 0;
const INITIAL = PRIMES.slice(0, 8).map((prime) => fraction(Math.sqrt(prime)));
const CONSTANTS = Int32Array.from(PRIMES, (prime) => fraction(Math.cbrt(prime)));
