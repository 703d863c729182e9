import type { KernelFlow } from '../native/records.js';
import { formatAddress } from '../snapshot/address-text.js';
import type { Handshake } from '../snapshot/schema/handshake.js';
import type { Socket } from '../snapshot/schema/socket.js';
import type { ProcessTable } from './process-table.js';

/** Who holds which connection open, by /proc: the last resort for a hello whose sender the kernel could not tell. */
export class SocketOwners {
  readonly #owners = new Map<string, Socket['owners'][number]>();

  /** A socket that several processes hold says nothing about who shook hands. */
  add({ netns, proto, local, remote, owners }: Socket): void {
    const [owner] = owners;
    if (proto !== 'tcp' || !remote || !owner || owners.length !== 1) return;
    this.#owners.set(`${netns} ${local.address} ${local.port} ${remote.address} ${remote.port}`, owner);
  }

  /** The process member of a handshake by its socket's descriptor; null where nobody is known. */
  member(flow: KernelFlow, table: ProcessTable): Handshake['process'] {
    const local = formatAddress(flow.localAddress);
    const remote = formatAddress(flow.remoteAddress);
    const owner = this.#owners.get(`${flow.netns} ${local} ${flow.localPort} ${remote} ${flow.remotePort}`);
    if (!owner) return null;
    const row = owner.startTimeNs === null ? undefined : table.known(owner.pid, BigInt(owner.startTimeNs));
    return {
      pid: owner.pid,
      tid: null,
      startTimeNs: owner.startTimeNs,
      ppid: row?.ppid ?? null,
      uid: row?.uid ?? null,
      gid: row?.gid ?? null,
      comm: owner.comm,
      ...(owner.commRaw !== undefined && { commRaw: owner.commRaw }),
      threadComm: null,
      exe: owner.exe,
      ...(owner.exeRaw !== undefined && { exeRaw: owner.exeRaw }),
      cgroup: row?.cgroup ?? null,
      container: row?.container?.id ?? null,
      attribution: 'inode',
      sender: null,
    };
  }
}
