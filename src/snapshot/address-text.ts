import { isIP } from 'node:net';

/** The text of an IP address from its bytes; v4-mapped IPv6 is written as IPv4. */
export function formatAddress(bytes: Uint8Array): string {
  if (bytes.length === 4) return formatIpv4(wordOf(bytes, 0));
  return formatIpv6(wordOf(bytes, 0), wordOf(bytes, 4), wordOf(bytes, 8), wordOf(bytes, 12));
}

/** The same for IPv6 as four numbers of 32 bits. */
export function formatIpv6(first: number, second: number, third: number, fourth: number): string {
  if (first === 0 && second === 0 && third === 0xffff) return formatIpv4(fourth);
  const group = (index: number): number => {
    const word = index < 4 ? (index < 2 ? first : second) : index < 6 ? third : fourth;
    return index % 2 === 0 ? word >>> 16 : word & 0xffff;
  };
  // RFC 5952 section 4.2: the first of the longest runs of zero groups is left out, but a single group is not.
  let [runStart, runEnd] = [8, 8];
  for (let start = 0, end = 0; start < 8; start = end + 1) {
    for (end = start; end < 8 && group(end) === 0;) end++;
    if (end - start > 1 && end - start > runEnd - runStart) [runStart, runEnd] = [start, end];
  }
  let text = '';
  for (let index = 0; index < 8; index++) {
    if (index === runStart) {
      text += '::';
      index = runEnd - 1;
    } else text += text === '' || text.endsWith('::') ? group(index).toString(16) : `:${group(index).toString(16)}`;
  }
  return text;
}

/** `192.0.2.1:443`, `[2001:db8::1]:443`. */
export function formatEndpoint(address: string, port: number): string {
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}

/** The text of an IPv4 address as a number. */
export function formatIpv4(value: number): string {
  return `${value >>> 24}.${(value >> 16) & 0xff}.${(value >> 8) & 0xff}.${value & 0xff}`;
}

/** The bytes of an IP address' text: 4 or 16; null where it is none. */
export function parseAddress(text: string): Uint8Array | null {
  const version = isIP(text);
  if (version === 4) return Uint8Array.from(text.split('.'), Number);
  if (version !== 6) return null;
  const [withoutZone = ''] = text.split('%');
  const [head = '', tail] = withoutDottedQuad(withoutZone).split('::');
  const left = words(head);
  const right = tail === undefined ? [] : words(tail);
  const groups = [...left, ...Array.from({ length: 8 - left.length - right.length }, () => 0), ...right];
  return Uint8Array.from(groups.flatMap((group) => [group >> 8, group & 0xff]));
}

function wordOf(bytes: Uint8Array, at: number): number {
  return (
    (((bytes[at] ?? 0) << 24) | ((bytes[at + 1] ?? 0) << 16) | ((bytes[at + 2] ?? 0) << 8) | (bytes[at + 3] ?? 0)) >>> 0
  );
}

function withoutDottedQuad(text: string): string {
  const quad = /(\d+)\.(\d+)\.(\d+)\.(\d+)$/.exec(text);
  if (!quad) return text;
  const [, a, b, c, d] = quad.map(Number) as [number, number, number, number, number];
  return `${text.slice(0, quad.index)}${((a << 8) | b).toString(16)}:${((c << 8) | d).toString(16)}`;
}

function words(text: string): number[] {
  return text === '' ? [] : text.split(':').map((group) => Number.parseInt(group, 16));
}
