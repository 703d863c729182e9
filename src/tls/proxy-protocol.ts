/**
 * The length of the PROXY protocol header at the start of a stream, which a load balancer puts before the client's bytes, often in one
 * segment with them; 0 where there is none, or not all of it.
 * https://www.haproxy.org/download/3.0/doc/proxy-protocol.txt, sections 2.1 (a line of text) and 2.2 (binary).
 */
export function proxyHeaderLength(bytes: Uint8Array): number {
  if (startsWith(bytes, SIGNATURE)) {
    const length = V2_HEADER_LENGTH + (((bytes[14] ?? 0) << 8) | (bytes[15] ?? 0));
    return bytes.length >= length ? length : 0;
  }
  return startsWith(bytes, V1_START) ? bytes.subarray(0, V1_MAX_LENGTH).indexOf(LINE_FEED) + 1 : 0;
}

function startsWith(bytes: Uint8Array, start: Uint8Array): boolean {
  return bytes.length >= start.length && start.every((byte, at) => byte === bytes[at]);
}

const SIGNATURE = Uint8Array.of(0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a);
/** `PROXY ` */
const V1_START = Uint8Array.of(0x50, 0x52, 0x4f, 0x58, 0x59, 0x20);
const V1_MAX_LENGTH = 107;
const V2_HEADER_LENGTH = 16;
const LINE_FEED = 0x0a;
