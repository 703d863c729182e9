/** One line of an NDJSON member, in bytes; neither written nor read beyond it. */
export const MAX_LINE_BYTES = 4 * 1024 * 1024;
/** `manifest.json` and `host.json`, which are read whole. */
export const MAX_DOCUMENT_BYTES = 32 * 1024 * 1024;
/** `manifest.json.sig` and `signer.pub`. */
export const MAX_KEY_BYTES = 64 * 1024;
/** Carved executables in one snapshot. */
export const MAX_EXECUTABLES = 65_536;

/** How much content a snapshot may have; a million hellos have about 3 GB. */
export interface InflationBounds {
  readonly bytes: number;
  /** Content bytes per byte of file. Timelines have 5 to 40, zeros (of which a bomb is made) have 1030. */
  readonly ratio: number;
  /** Up to here the ratio is not looked at: a small snapshot of equal lines is no bomb. */
  readonly freeBytes: number;
}

export const INFLATION_BOUNDS: InflationBounds = {
  bytes: 64 * 1024 ** 3,
  ratio: 400,
  freeBytes: 64 * 1024 ** 2,
};
