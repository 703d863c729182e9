import { endianness } from 'node:os';
import type { SocketEndpoint, SocketState } from '../snapshot/schema/socket.js';

/** One row of /proc/PID/net/{tcp,tcp6,udp,udp6} (proc_pid_net(5)). */
export interface SocketEntry {
  local: SocketEndpoint;
  /** Null where there is no other end: a listener, an unconnected UDP socket. */
  remote: SocketEndpoint | null;
  state: SocketState;
  /** Null where the socket is no process's any more: the kernel then prints 0 for both. */
  uid: number | null;
  inode: string | null;
}

/**
 * @param littleEndian of the host: the kernel prints addresses as 32-bit words in its own byte order
 * @returns null for the header, and for what is not of the form
 */
export function parseSocketLine(line: string, littleEndian = endianness() === 'LE'): SocketEntry | null {
  const match = LINE.exec(line);
  if (!match) return null;
  const [, localAddress = '', localPort = '', remoteAddress = '', remotePort = '', state = '', uid = '', inode = ''] =
    match;
  if (localAddress.length !== remoteAddress.length) return null;
  const held = inode !== '0';
  const none = /^0+$/.test(remoteAddress) && remotePort === '0000';
  return {
    local: { address: parseAddress(localAddress, littleEndian), port: parseInt(localPort, 16) },
    remote: none ? null : { address: parseAddress(remoteAddress, littleEndian), port: parseInt(remotePort, 16) },
    state: STATES[parseInt(state, 16)] ?? 'UNKNOWN',
    uid: held && Number(uid) <= 0xffff_ffff ? Number(uid) : null,
    inode: held ? inode : null,
  };
}

/** 8 hex digits are IPv4, 32 are IPv6; a v4-mapped address is written as IPv4. */
function parseAddress(hex: string, littleEndian: boolean): string {
  const bytes = Buffer.from(hex, 'hex');
  if (littleEndian) bytes.swap32();
  if (bytes.length === 4) return dotted(bytes);
  if (bytes.subarray(0, 12).equals(V4_MAPPED)) return dotted(bytes.subarray(12));
  return canonicalV6(bytes);
}

function dotted(bytes: Buffer): string {
  return [...bytes].join('.');
}

/** RFC 5952: the longest run of at least two zero groups, the first of equals, becomes `::`. */
function canonicalV6(bytes: Buffer): string {
  const groups = Array.from({ length: 8 }, (_, index) => bytes.readUInt16BE(index * 2).toString(16));
  let best = { start: 0, length: 1 };
  for (let start = 0; start < groups.length; start++) {
    let length = 0;
    while (groups[start + length] === '0') length++;
    if (length > best.length) best = { start, length };
  }
  if (best.length < 2) return groups.join(':');
  return `${groups.slice(0, best.start).join(':')}::${groups.slice(best.start + best.length).join(':')}`;
}

const V4_MAPPED = Buffer.from('00000000000000000000ffff', 'hex');

/** slot, local, remote, state, queues, timer, retransmits, uid, time-out, inode */
const LINE =
  /^ *\d+: ([0-9A-F]{8}|[0-9A-F]{32}):([0-9A-F]{4}) ([0-9A-F]{8}|[0-9A-F]{32}):([0-9A-F]{4}) ([0-9A-F]{2}) [0-9A-F]+:[0-9A-F]+ [0-9A-F]+:[0-9A-F]+ [0-9A-F]+ +(\d{1,10}) +\d+ (\d{1,20})(?: |$)/;

/** TCP_* of <net/tcp_states.h>; UDP uses ESTABLISHED for a connected socket and CLOSE for any other. */
const STATES: readonly (SocketState | undefined)[] = [
  undefined,
  'ESTABLISHED',
  'SYN_SENT',
  'SYN_RECV',
  'FIN_WAIT1',
  'FIN_WAIT2',
  'TIME_WAIT',
  'CLOSE',
  'CLOSE_WAIT',
  'LAST_ACK',
  'LISTEN',
  'CLOSING',
  // TCP_NEW_SYN_RECV: a request socket, printed as SYN_RECV by the other tools.
  'SYN_RECV',
];
