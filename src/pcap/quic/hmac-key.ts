import { type HashingRoom, initialState, mixBlock, type Sha256State, writeState } from './sha256-block.js';

/**
 * HMAC-SHA256 (RFC 2104) with a key of at most 64 bytes and messages of at most 55, which is what QUIC's keys need. The key's two
 * blocks are mixed once: after that a message costs two blocks, and no object of node:crypto, of which a connection takes nine.
 */
export class HmacKey {
  readonly #inner = initialState();
  readonly #outer = initialState();
  readonly #room: HashingRoom;

  constructor(key: Uint8Array, room: HashingRoom) {
    this.#room = room;
    this.#mixKey(this.#inner, key, 0x36);
    this.#mixKey(this.#outer, key, 0x5c);
  }

  /** @param message of at most 55 bytes */
  sign(message: Uint8Array): Buffer {
    const digest = Buffer.allocUnsafe(DIGEST);
    this.#mixLast(this.#inner, message, digest);
    this.#mixLast(this.#outer, digest, digest);
    return digest;
  }

  #mixKey(state: Sha256State, key: Uint8Array, filler: number): void {
    const { block } = this.#room;
    block.fill(filler);
    for (let at = 0; at < key.length; at++) block[at] = (key[at] ?? 0) ^ filler;
    mixBlock(state, this.#room);
  }

  /** Hashes the message as the last block, behind the one that is in `before`. */
  #mixLast(before: Sha256State, message: Uint8Array, digest: Uint8Array): void {
    if (message.length > MAX_MESSAGE) throw new RangeError(`a message of ${message.length} bytes`);
    const { block, state } = this.#room;
    block.fill(0);
    block.set(message);
    block[message.length] = 0x80;
    // The length in bits, of which the first block is 512.
    const bits = (block.length + message.length) * 8;
    block[62] = bits >> 8;
    block[63] = bits;
    state.set(before);
    mixBlock(state, this.#room);
    writeState(state, digest);
  }
}

const DIGEST = 32;
const MAX_MESSAGE = 55;
