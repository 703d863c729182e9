import { LAYOUT, RECORD_TYPE } from '../../src/native/layout.js';

/** Writes kernel records as the BPF programs do, by the layout that comes from their BTF. */

type Fields = Readonly<Record<string, number | bigint | Buffer>>;
type Members = Readonly<Record<string, readonly [offset: number, size: number]>>;

export interface ChunkFields {
  readonly bootNs?: bigint;
  readonly cookie?: bigint;
  readonly helloOffset?: number;
  readonly streamOffset?: number;
  readonly direction?: 0 | 1;
  readonly role?: 0 | 1;
  readonly flags?: number;
  readonly handshakeType?: number;
  readonly ownerPid?: number;
  readonly remotePort?: number;
  readonly bytes: Buffer;
}

export function chunkBytes(chunk: ChunkFields): Buffer {
  const size = LAYOUT.chunk.size + chunk.bytes.length;
  const record = padded(size);
  write(record, LAYOUT.chunk.members, {
    ...header(RECORD_TYPE.CHUNK, size, chunk.bootNs),
    'flow.local_address': Buffer.from('00000000000000000000ffff7f000001', 'hex'),
    'flow.remote_address': Buffer.from('00000000000000000000ffff7f000002', 'hex'),
    'flow.local_port': 40000,
    'flow.remote_port': chunk.remotePort ?? 443,
    'flow.netns': 4026531840,
    'flow.cookie': chunk.cookie ?? 17n,
    'owner.pid': chunk.ownerPid ?? 4242,
    'owner.tid': chunk.ownerPid ?? 4242,
    'owner.start_boot_ns': 1_000_000_007n,
    'owner.comm': Buffer.from('client\0'),
    'owner.thread_comm': Buffer.from('client\0'),
    hello_offset: chunk.helloOffset ?? 0,
    stream_offset: chunk.streamOffset ?? 0,
    length: chunk.bytes.length,
    direction: chunk.direction ?? 0,
    role: chunk.role ?? 0,
    flags: chunk.flags ?? 0,
    handshake_type: chunk.handshakeType ?? 1,
  });
  chunk.bytes.copy(record, LAYOUT.chunk.size);
  return record;
}

export interface ProcessFields {
  readonly bootNs?: bigint;
  readonly pid: number;
  readonly startNs: bigint;
  readonly ppid?: number;
  readonly comm: string;
  /** Components, last one first. */
  readonly exe?: readonly string[];
  readonly exeCut?: boolean;
  readonly exeInode?: bigint;
  readonly cmdline?: Buffer;
  readonly cmdlineTotal?: number;
  readonly exec?: boolean;
}

export function processBytes(fields: ProcessFields): Buffer {
  const { size, members } = LAYOUT.process;
  const record = padded(size);
  const exe = Buffer.from((fields.exe ?? []).map((component) => `${component}\0`).join(''), 'latin1');
  const cmdline = fields.cmdline ?? Buffer.alloc(0);
  write(record, members, {
    ...header(RECORD_TYPE.PROCESS, size, fields.bootNs),
    exe_inode: fields.exeInode ?? (exe.length > 0 ? 99n : 0n),
    exe_device: (254 << 20) | 1,
    exe_cut: fields.exeCut ? 1 : 0,
    exec: fields.exec ? 1 : 0,
    cmdline_length: cmdline.length,
    cmdline_total: fields.cmdlineTotal ?? cmdline.length,
    exe_length: exe.length,
    cmdline,
    exe,
  });
  const task = record.subarray(members.task[0]);
  write(task, LAYOUT.task.members, {
    pid: fields.pid,
    tid: fields.pid,
    ppid: fields.ppid ?? 1,
    start_boot_ns: fields.startNs,
    comm: Buffer.from(`${fields.comm}\0`),
    thread_comm: Buffer.from(`${fields.comm}\0`),
  });
  return record;
}

export function exitBytes(pid: number, startNs: bigint, exitCode: number, bootNs = 5n): Buffer {
  const record = padded(LAYOUT.exit.size);
  write(record, LAYOUT.exit.members, {
    ...header(RECORD_TYPE.EXIT, LAYOUT.exit.size, bootNs),
    pid,
    start_boot_ns: startNs,
    exit_code: exitCode,
  });
  return record;
}

function header(type: number, size: number, bootNs = 1_000n): Fields {
  return { 'record.type': type, 'record.size': size, 'record.boot_ns': bootNs };
}

/** Records lie in the ring in steps of eight bytes. */
function padded(size: number): Buffer {
  return Buffer.alloc((size + 7) & ~7);
}

function write(into: Buffer, members: Members, fields: Fields): void {
  for (const [name, value] of Object.entries(fields)) {
    const place = members[name];
    if (!place) throw new Error(`no member ${name}`);
    const [offset, size] = place;
    if (typeof value === 'object') value.copy(into, offset, 0, size);
    else if (size === 8) into.writeBigUInt64LE(BigInt(value), offset);
    else into.writeUIntLE(Number(value), offset, size);
  }
}
