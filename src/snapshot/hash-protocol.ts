/** What the reading thread tells the thread that hashes. */
export type ToHash =
  /** The next bytes, of which the first `used` count. */
  | { readonly kind: 'bytes'; readonly bytes: SharedArrayBuffer; readonly used: number }
  /** There are no more; the thread ends. */
  | { readonly kind: 'finish' };

/** What the thread that hashes tells the reading thread. */
export type FromHash =
  /** The buffer may be filled again. */
  | { readonly kind: 'spare'; readonly bytes: SharedArrayBuffer }
  /** In lowercase hex. */
  | { readonly kind: 'digest'; readonly sha256: string };
