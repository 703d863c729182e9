import type { Socket } from '../../snapshot/schema/socket.js';
import { type Column, json, number, text } from './column.js';

/** Every field of a socket; its owners are JSON. */
export const SOCKET_COLUMNS: readonly Column<Socket>[] = [
  text('when', (row) => row.when),
  number('netns', (row) => row.netns),
  text('proto', (row) => row.proto),
  number('family', (row) => row.family),
  text('state', (row) => row.state),
  text('local_address', (row) => row.local.address),
  number('local_port', (row) => row.local.port),
  text('remote_address', (row) => row.remote?.address),
  number('remote_port', (row) => row.remote?.port),
  text('inode', (row) => row.inode),
  number('uid', (row) => row.uid),
  json('owners', (row) => row.owners),
];
