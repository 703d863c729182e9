/** Bytes of the host as text: `raw` (base64) is there exactly when `text` does not turn back into the same bytes. */
export interface HostText {
  text: string;
  raw?: string;
}

/** Decodes UTF-8. What is not valid becomes U+FFFD, and then the bytes are kept beside it. */
export function hostText(bytes: Buffer): HostText {
  const text = bytes.toString('utf8');
  return Buffer.from(text, 'utf8').equals(bytes) ? { text } : { text, raw: bytes.toString('base64') };
}

/** A list of NUL-terminated strings, as in /proc/PID/cmdline and environ. */
export interface HostStrings {
  values: string[];
  /** Base64 of all bytes, where `values` joined and terminated by NULs are not the same bytes. */
  raw?: string;
}

/**
 * Splits at NULs. A process may write over this memory (setproctitle), so the last NUL can be missing and many can
 * follow the end: empty values at the end are dropped, and `raw` keeps what was there.
 */
export function hostStrings(bytes: Buffer): HostStrings {
  if (bytes.length === 0) return { values: [] };
  const values = bytes.toString('utf8').split('\0');
  while (values.length > 1 && values.at(-1) === '') values.pop();
  const exact = Buffer.from(values.map((value) => `${value}\0`).join(''), 'utf8').equals(bytes);
  return exact ? { values } : { values, raw: bytes.toString('base64') };
}

/** `name` and, where the text is not exact, `nameRaw`: the form of a snapshot's row. */
export type TextFields<Name extends string, Text> = Record<Name, Text> & Partial<Record<`${Name}Raw`, string>>;

export function textFields<Name extends string>(name: Name, bytes: Buffer): TextFields<Name, string>;
export function textFields<Name extends string>(name: Name, bytes: Buffer | null): TextFields<Name, string | null>;
export function textFields(name: string, bytes: Buffer | null): Record<string, string | null> {
  if (bytes === null) return { [name]: null };
  const { text, raw } = hostText(bytes);
  return raw === undefined ? { [name]: text } : { [name]: text, [`${name}Raw`]: raw };
}
