import { readFileSync, readlinkSync } from 'node:fs';
import { TlsnapError } from '../errors.js';
import type { Socket } from '../snapshot/schema/socket.js';
import { isNativeError, loadAddon, type NativeConnection } from './addon.js';

/**
 * Closes a TCP connection of another process by SOCK_DESTROY (netlink sock_diag, Linux 4.9): its owner gets ECONNABORTED,
 * its peer a RST. `pid` is a process in the connection's network namespace. Returns null, or the errno's name where it
 * could not be closed: ENOENT or ESTALE where it is gone already.
 */
export function closeConnection({ netns, local, remote }: Socket, pid: number): string | null {
  if (!remote) return 'EINVAL';
  return attempt(`/proc/${pid}/ns/net`, netns, {
    localAddress: local.address,
    localPort: local.port,
    remoteAddress: remote.address,
    remotePort: remote.port,
  });
}

/** Throws a TlsnapError where this kernel closes no connections, or this process may not. Nothing is closed. */
export function requireClosing(): void {
  const path = '/proc/self/ns/net';
  // Nobody has port 0: a kernel that closes connections looks for this one and does not find it.
  const nowhere = { localAddress: '0.0.0.0', localPort: 0, remoteAddress: '0.0.0.0', remotePort: 0 };
  const code = attempt(path, Number(/\d+/.exec(readlinkSync(path))?.[0]), nowhere);
  // The kernel asks for the privilege when it has found the connection only.
  if (code === 'ENOENT' && mayAdministerNetworks()) return;
  if (code === 'EPERM' || code === 'ENOENT') {
    throw new TlsnapError('permission', '--rehandshake', 'this process may not close connections', [
      'Run it as root, or with CAP_NET_ADMIN and CAP_SYS_ADMIN.',
    ]);
  }
  throw new TlsnapError('unavailable', '--rehandshake', `this kernel closes no connections (${code ?? 'no error'})`, [
    'It needs CONFIG_INET_DIAG_DESTROY. Restart the service in question instead, if that may be.',
  ]);
}

function mayAdministerNetworks(): boolean {
  const [, effective = '0'] = /^CapEff:\s*([0-9a-f]+)$/m.exec(readFileSync('/proc/self/status', 'latin1')) ?? [];
  return (BigInt(`0x${effective}`) & CAP_NET_ADMIN) !== 0n;
}

function attempt(netnsPath: string, netns: number, connection: NativeConnection): string | null {
  try {
    loadAddon().destroyConnection(netnsPath, netns, connection);
    return null;
  } catch (error) {
    if (isNativeError(error)) return error.code;
    throw error;
  }
}

/** include/uapi/linux/capability.h. */
const CAP_NET_ADMIN = 1n << 12n;
