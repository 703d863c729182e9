/** One line of an NDJSON member, in bytes; neither written nor read beyond it. */
export const MAX_LINE_BYTES = 4 * 1024 * 1024;
/** `manifest.json` and `host.json`, which are read whole. */
export const MAX_DOCUMENT_BYTES = 64 * 1024 * 1024;
/** `manifest.json.sig` and `signer.pub`. */
export const MAX_KEY_BYTES = 64 * 1024;
/** Carved executables in one snapshot. */
export const MAX_EXECUTABLES = 65_536;
/** What a snapshot may inflate to: a million rows are about 3 GB, and their executables must fit too. */
export const MAX_INFLATED_BYTES = 256 * 1024 ** 3;
/** Timelines inflate 5 to 40 times; a run of zeros, which a bomb is made of, up to 1032 times. */
export const MAX_RATIO = 200;
/** Below this the ratio is not looked at: small, repetitive snapshots compress very well and cost nothing. */
export const RATIO_FREE_BYTES = 64 * 1024 * 1024;
