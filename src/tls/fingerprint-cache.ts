import { ja3, ja3Sha256 } from './ja3.js';
import { truncatedSha256 } from './ja4.js';

/** The hashes of a JA3 or JA3S string. */
export interface Ja3Hashes {
  readonly ja3: string;
  readonly ja3Sha256: string;
}

/**
 * Remembers hashes by the text that was hashed: a capture holds the same few strings over and over. Bounded; the oldest entry
 * goes first. One object belongs to one reader of hellos and is passed along, so nothing outlives the work.
 */
export class FingerprintCache {
  readonly #capacity: number;
  readonly #ja3 = new Map<string, Ja3Hashes>();
  readonly #hash12 = new Map<string, string>();

  /** `capacity`: entries kept of each kind. */
  constructor(capacity = 4096) {
    this.#capacity = capacity;
  }

  ja3(text: string): Ja3Hashes {
    const known = this.#ja3.get(text);
    if (known !== undefined) return known;
    const hashes = { ja3: ja3(text), ja3Sha256: ja3Sha256(text) };
    remember(this.#ja3, this.#capacity, text, hashes);
    return hashes;
  }

  readonly hash12 = (text: string): string => {
    const known = this.#hash12.get(text);
    if (known !== undefined) return known;
    const digits = truncatedSha256(text);
    remember(this.#hash12, this.#capacity, text, digits);
    return digits;
  };
}

function remember<T>(map: Map<string, T>, capacity: number, key: string, value: T): void {
  if (map.size >= capacity) {
    for (const oldest of map.keys()) {
      map.delete(oldest);
      break;
    }
  }
  map.set(key, value);
}
