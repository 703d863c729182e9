import { Type, type Static } from 'typebox';
import { base64, closed, decimal, orNull, uint16, uint32 } from './fields.js';

export const SocketState = Type.Enum([
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
  'UNKNOWN',
]);

export const SocketEndpoint = Type.Object({ address: Type.String(), port: uint16 }, closed);

export const SocketOwner = Type.Object(
  {
    pid: uint32,
    startTimeNs: orNull(decimal),
    comm: orNull(Type.String()),
    commRaw: Type.Optional(base64),
    exe: orNull(Type.String()),
    exeRaw: Type.Optional(base64),
  },
  { ...closed, description: 'a process that holds a file descriptor of the socket' },
);

/**
 * One line of `sockets.ndjson`: one TCP or UDP socket that was open at the start or at the end of the window.
 * What was established before the window has no hello in it: the rows of `start` are the window's blind spots.
 */
export const Socket = Type.Object(
  {
    when: Type.Enum(['start', 'end']),
    netns: uint32,
    proto: Type.Enum(['tcp', 'udp']),
    family: Type.Enum([4, 6], { description: "the socket's own; a v4-mapped address is written as IPv4" }),
    state: SocketState,
    local: SocketEndpoint,
    remote: orNull(SocketEndpoint),
    inode: orNull(Type.String({ ...decimal, description: 'null where no process holds it any more' })),
    uid: orNull(uint32),
    owners: Type.Array(SocketOwner),
  },
  closed,
);

export type SocketState = Static<typeof SocketState>;
export type SocketEndpoint = Static<typeof SocketEndpoint>;
export type SocketOwner = Static<typeof SocketOwner>;
export type Socket = Static<typeof Socket>;
