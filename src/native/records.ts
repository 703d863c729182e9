import { CHUNK_FLAGS, FINGERPRINT_FLAGS, LAYOUT, RECORD_TYPE, ROLE, SIDE, TASK_FLAGS } from './layout.js';

/** A process as the kernel saw it act. Text is the kernel's bytes up to the first NUL. */
export interface KernelTask {
  /** Nanoseconds of CLOCK_BOOTTIME; of the thread-group leader. */
  readonly startTimeNs: bigint;
  readonly cgroupId: bigint;
  readonly pid: number;
  readonly tid: number;
  readonly ppid: number;
  readonly uid: number;
  readonly gid: number;
  /** Inodes. */
  readonly netns: number;
  readonly pidns: number;
  readonly kernelThread: boolean;
  /** Known because it sent, not because it connected. */
  readonly sent: boolean;
  readonly comm: Buffer;
  readonly threadComm: Buffer;
}

/** One end of a connection. Addresses are 16 bytes, IPv4 as ::ffff:a.b.c.d. */
export interface KernelFlow {
  readonly localAddress: Buffer;
  readonly remoteAddress: Buffer;
  readonly localPort: number;
  readonly remotePort: number;
  readonly netns: number;
  /** The socket's cookie; 0 where only the listener knows it so far. */
  readonly cookie: bigint;
}

/** JA3 as the kernel hashed it: the MD5 that feeds use, and the SHA-256 of the same string. */
export interface KernelJa3 {
  readonly ja3: string;
  readonly ja3Sha256: string;
}

export interface ChunkRecord {
  readonly type: 'chunk';
  readonly bootTimeNs: bigint;
  readonly flow: KernelFlow;
  /** Null where nobody is known (yet). */
  readonly owner: KernelTask | null;
  /** Null where the owner sent this, or it arrived. */
  readonly sender: KernelTask | null;
  /** Stream offsets modulo 2^32; sequence numbers in a listener's chunk. */
  readonly helloOffset: number;
  readonly streamOffset: number;
  readonly outgoing: boolean;
  readonly accepted: boolean;
  readonly sslv2: boolean;
  readonly continued: boolean;
  readonly speculative: boolean;
  readonly listener: boolean;
  readonly kind: 'client' | 'server' | null;
  /** The kernel's own digests of a ClientHello, in hexadecimal; null where it left them to user space. */
  readonly ja3: KernelJa3 | null;
  readonly bytes: Buffer;
}

export interface ProcessRecord {
  readonly type: 'process';
  readonly bootTimeNs: bigint;
  readonly task: KernelTask;
  /** Whether an exec was the reason. */
  readonly exec: boolean;
  /** Pid inside its own pid namespace; 0 where the kernel could not be read. */
  readonly nsPid: number;
  /** Path bytes; null where the kernel could not be read. Of a path that is too long only the end, behind `.../`. */
  readonly exe: Buffer | null;
  readonly exeCut: boolean;
  readonly exeDeleted: boolean;
  /** 0 where not known. */
  readonly exeInode: bigint;
  /** `major:minor`. */
  readonly exeDevice: string;
  /** Arguments, each ended by NUL; cut at 1024 bytes. */
  readonly cmdline: Buffer | null;
  readonly cmdlineCut: boolean;
  /** Parent first. */
  readonly ancestors: readonly { startTimeNs: bigint; pid: number; uid: number; comm: Buffer }[];
}

export interface ExitRecord {
  readonly type: 'exit';
  readonly bootTimeNs: bigint;
  readonly pid: number;
  readonly startTimeNs: bigint;
  /** As in wait(2). */
  readonly exitCode: number;
}

/** The connection to which a listener's chunks of the same addresses belong. */
export interface AcceptedRecord {
  readonly type: 'accepted';
  readonly bootTimeNs: bigint;
  readonly flow: KernelFlow;
  /** TCP sequence number of stream offset 0. */
  readonly base: number;
}

export type KernelRecord = ChunkRecord | ProcessRecord | ExitRecord | AcceptedRecord;

/** An entry of the kernel's map: a process, a fingerprint, and how often and when. */
export interface FingerprintEntry extends KernelJa3 {
  readonly pid: number;
  readonly startTimeNs: bigint;
  /** Whether the process sent the ClientHello or answered it. */
  readonly side: 'client' | 'server';
  readonly count: bigint;
  readonly firstBootTimeNs: bigint;
  readonly lastBootTimeNs: bigint;
  readonly cgroupId: bigint;
  readonly uid: number;
  readonly ppid: number;
  readonly comm: Buffer;
  /** Whether the process is known because it sent on the connection, as each that answers is, not because it made it. */
  readonly sent: boolean;
}

/** A span of drained bytes that is no record, as `offset: what is wrong`. */
export class RecordError extends Error {
  override readonly name = 'RecordError';
}

/**
 * The records in drained bytes, in order. Addresses and payloads are views. Bytes may come from a spool, so every length is checked.
 *
 * @throws RecordError at the first thing that is not a record; what came before it was handed out
 */
export function* kernelRecords(bytes: Buffer): Generator<KernelRecord> {
  for (let at = 0; at < bytes.length;) {
    const { type, size } = recordAt(bytes, at);
    const record = bytes.subarray(at, at + size);
    switch (type) {
      case RECORD_TYPE.CHUNK:
        yield chunkRecord(record, at);
        break;
      case RECORD_TYPE.PROCESS:
        yield processRecord(sized(record, LAYOUT.process.size, at));
        break;
      case RECORD_TYPE.EXIT:
        yield exitRecord(sized(record, LAYOUT.exit.size, at));
        break;
      case RECORD_TYPE.ACCEPTED:
        yield acceptedRecord(sized(record, LAYOUT.accepted.size, at));
        break;
      default:
        throw new RecordError(`${at}: no record of type ${type} is known`);
    }
    at += (size + 7) & ~7;
  }
}

/** What the record at an offset is and how long, and nothing decoded: for a reader that wants only some. */
export function recordAt(bytes: Buffer, at: number): { type: number; size: number } {
  const { size: header, members } = LAYOUT.record;
  if (bytes.length - at < header) throw new RecordError(`${at}: ${bytes.length - at} bytes are no record header`);
  const size = bytes.readUInt32LE(at + members.size[0]);
  if (size < header || size > bytes.length - at) throw new RecordError(`${at}: a record cannot have ${size} bytes`);
  return { type: bytes.readUInt16LE(at + members.type[0]), size };
}

/**
 * The entries of a dumped map of fingerprints.
 *
 * @throws RecordError at the first thing that is no entry; what came before it was handed out
 */
export function* fingerprintEntries(bytes: Buffer): Generator<FingerprintEntry> {
  const [key, value] = [LAYOUT.fingerprint_key, LAYOUT.fingerprint];
  for (let at = 0; at < bytes.length; at += key.size + value.size) {
    const rest = at + key.size;
    if (rest + value.size > bytes.length) throw new RecordError(`${at}: ${bytes.length - at} bytes are no fingerprint`);
    const pid = bytes.readBigUInt64LE(at + key.members.pid[0]);
    if (pid > 0xffff_ffffn) throw new RecordError(`${at}: a process cannot have the pid ${pid}`);
    yield {
      pid: Number(pid),
      startTimeNs: bytes.readBigUInt64LE(at + key.members.start_boot_ns[0]),
      ja3: bytesAt(bytes, at + key.members.ja3_md5[0], key.members.ja3_md5[1]).toString('hex'),
      side: bytes.readUInt32LE(at + key.members.side[0]) === SIDE.SERVER ? 'server' : 'client',
      ja3Sha256: bytesAt(bytes, rest + value.members.ja3_sha256[0], value.members.ja3_sha256[1]).toString('hex'),
      count: bytes.readBigUInt64LE(rest + value.members.count[0]),
      firstBootTimeNs: bytes.readBigUInt64LE(rest + value.members.first_boot_ns[0]),
      lastBootTimeNs: bytes.readBigUInt64LE(rest + value.members.last_boot_ns[0]),
      cgroupId: bytes.readBigUInt64LE(rest + value.members.cgroup_id[0]),
      uid: bytes.readUInt32LE(rest + value.members.uid[0]),
      ppid: bytes.readUInt32LE(rest + value.members.ppid[0]),
      comm: textAt(bytes, rest + value.members.comm[0], value.members.comm[1]),
      sent: (bytes.readUInt32LE(rest + value.members.flags[0]) & FINGERPRINT_FLAGS.SENT) !== 0,
    };
  }
}

function sized(record: Buffer, size: number, at: number): Buffer {
  if (record.length < size) throw new RecordError(`${at}: ${record.length} bytes where the record has ${size}`);
  return record;
}

function bootTime(record: Buffer): bigint {
  return record.readBigUInt64LE(LAYOUT.record.members.boot_ns[0]);
}

function chunkRecord(record: Buffer, at: number): ChunkRecord {
  const { size, members } = LAYOUT.chunk;
  sized(record, size, at);
  const length = record.readUInt32LE(members.length[0]);
  if (length > record.length - size) throw new RecordError(`${at}: a chunk of ${length} bytes does not fit its record`);
  const flags = record.readUInt8(members.flags[0]);
  const handshakeType = record.readUInt8(members.handshake_type[0]);
  return {
    type: 'chunk',
    bootTimeNs: bootTime(record),
    flow: flowAt(record, members.flow[0]),
    owner: taskAt(record, members.owner[0]),
    sender: taskAt(record, members.sender[0]),
    helloOffset: record.readUInt32LE(members.hello_offset[0]),
    streamOffset: record.readUInt32LE(members.stream_offset[0]),
    outgoing: record.readUInt8(members.direction[0]) === 0,
    accepted: record.readUInt8(members.role[0]) === ROLE.ACCEPTED,
    sslv2: (flags & CHUNK_FLAGS.SSLV2) !== 0,
    continued: (flags & CHUNK_FLAGS.CONTINUED) !== 0,
    speculative: (flags & CHUNK_FLAGS.SPECULATIVE) !== 0,
    listener: (flags & CHUNK_FLAGS.LISTENER) !== 0,
    ja3: (flags & CHUNK_FLAGS.HASHED) === 0 ? null : ja3At(record, members.ja3[0]),
    kind: handshakeType === 1 ? 'client' : handshakeType === 2 ? 'server' : null,
    bytes: record.subarray(size, size + length),
  };
}

function ja3At(record: Buffer, at: number): KernelJa3 {
  const { md5, sha256 } = LAYOUT.ja3.members;
  return {
    ja3: bytesAt(record, at + md5[0], md5[1]).toString('hex'),
    ja3Sha256: bytesAt(record, at + sha256[0], sha256[1]).toString('hex'),
  };
}

function processRecord(record: Buffer): ProcessRecord {
  const { members } = LAYOUT.process;
  const task = taskAt(record, members.task[0]);
  if (!task) throw new RecordError('a process record without a process');
  const device = record.readUInt32LE(members.exe_device[0]);
  const exeLength = Math.min(record.readUInt32LE(members.exe_length[0]), members.exe[1]);
  const cmdlineLength = Math.min(record.readUInt32LE(members.cmdline_length[0]), members.cmdline[1]);
  const cmdlineTotal = record.readUInt32LE(members.cmdline_total[0]);
  const exeInode = record.readBigUInt64LE(members.exe_inode[0]);
  const exeCut = record.readUInt16LE(members.exe_cut[0]) === 1;
  return {
    type: 'process',
    bootTimeNs: bootTime(record),
    task,
    exec: record.readUInt32LE(members.exec[0]) === 1,
    nsPid: record.readUInt32LE(members.nspid[0]),
    exe: exeInode === 0n ? null : pathOf(record.subarray(members.exe[0], members.exe[0] + exeLength), exeCut),
    exeCut: exeInode !== 0n && exeCut,
    exeDeleted: record.readUInt16LE(members.exe_deleted[0]) === 1,
    exeInode,
    exeDevice: `${device >>> 20}:${device & 0xfffff}`,
    cmdline: cmdlineTotal === 0 ? null : record.subarray(members.cmdline[0], members.cmdline[0] + cmdlineLength),
    cmdlineCut: cmdlineTotal > cmdlineLength,
    ancestors: ancestorsOf(record),
  };
}

function ancestorsOf(record: Buffer): ProcessRecord['ancestors'] {
  const { ancestors, ancestor_count } = LAYOUT.process.members;
  const { size, members } = LAYOUT.ancestor;
  const count = Math.min(record.readUInt32LE(ancestor_count[0]), ancestors[1] / size);
  return Array.from({ length: count }, (_, index) => {
    const at = ancestors[0] + index * size;
    return {
      startTimeNs: record.readBigUInt64LE(at + members.start_boot_ns[0]),
      pid: record.readUInt32LE(at + members.pid[0]),
      uid: record.readUInt32LE(at + members.uid[0]),
      comm: textAt(record, at + members.comm[0], members.comm[1]),
    };
  });
}

/** Components come last one first, each ended by NUL. No absolute path begins like one that is cut. */
function pathOf(components: Buffer, cut: boolean): Buffer | null {
  const parts: Buffer[] = [];
  for (let at = 0; at < components.length;) {
    const end = components.indexOf(0, at);
    const stop = end === -1 ? components.length : end;
    // A file system's root that no mount shows is named like this.
    if (stop > at && components[at] !== SLASH) parts.unshift(Buffer.from('/'), components.subarray(at, stop));
    at = stop + 1;
  }
  if (parts.length === 0) return null;
  return Buffer.concat(cut ? [Buffer.from('...'), ...parts] : parts);
}

function exitRecord(record: Buffer): ExitRecord {
  const { members } = LAYOUT.exit;
  return {
    type: 'exit',
    bootTimeNs: bootTime(record),
    pid: record.readUInt32LE(members.pid[0]),
    startTimeNs: record.readBigUInt64LE(members.start_boot_ns[0]),
    exitCode: record.readUInt32LE(members.exit_code[0]),
  };
}

function acceptedRecord(record: Buffer): AcceptedRecord {
  const { members } = LAYOUT.accepted;
  return {
    type: 'accepted',
    bootTimeNs: bootTime(record),
    flow: flowAt(record, members.flow[0]),
    base: record.readUInt32LE(members.base[0]),
  };
}

function taskAt(record: Buffer, at: number): KernelTask | null {
  const { members } = LAYOUT.task;
  const pid = record.readUInt32LE(at + members.pid[0]);
  if (pid === 0) return null;
  return {
    startTimeNs: record.readBigUInt64LE(at + members.start_boot_ns[0]),
    cgroupId: record.readBigUInt64LE(at + members.cgroup_id[0]),
    pid,
    tid: record.readUInt32LE(at + members.tid[0]),
    ppid: record.readUInt32LE(at + members.ppid[0]),
    uid: record.readUInt32LE(at + members.uid[0]),
    gid: record.readUInt32LE(at + members.gid[0]),
    netns: record.readUInt32LE(at + members.netns[0]),
    pidns: record.readUInt32LE(at + members.pidns[0]),
    kernelThread: (record.readUInt32LE(at + members.flags[0]) & TASK_FLAGS.KTHREAD) !== 0,
    sent: (record.readUInt32LE(at + members.flags[0]) & TASK_FLAGS.SENT) !== 0,
    comm: textAt(record, at + members.comm[0], members.comm[1]),
    threadComm: textAt(record, at + members.thread_comm[0], members.thread_comm[1]),
  };
}

function flowAt(record: Buffer, at: number): KernelFlow {
  const { members } = LAYOUT.flow;
  return {
    localAddress: bytesAt(record, at + members.local_address[0], members.local_address[1]),
    remoteAddress: bytesAt(record, at + members.remote_address[0], members.remote_address[1]),
    localPort: record.readUInt16LE(at + members.local_port[0]),
    remotePort: record.readUInt16LE(at + members.remote_port[0]),
    netns: record.readUInt32LE(at + members.netns[0]),
    cookie: record.readBigUInt64LE(at + members.cookie[0]),
  };
}

function bytesAt(record: Buffer, at: number, length: number): Buffer {
  return record.subarray(at, at + length);
}

/** A copy, so that who acted may be kept longer than the bytes that told it. */
function textAt(record: Buffer, at: number, length: number): Buffer {
  const bytes = bytesAt(record, at, length);
  const end = bytes.indexOf(0);
  return Buffer.from(end === -1 ? bytes : bytes.subarray(0, end));
}

const SLASH = 0x2f;
