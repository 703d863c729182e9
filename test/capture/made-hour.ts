import { SpoolWriter } from '../../src/capture/spool-writer.js';
import { FRAME } from '../../src/capture/spool.js';
import { emptyProcess } from '../../src/procfs/process-row.js';
import { chunkBytes, exitBytes, processBytes } from '../native/sample-records.js';
import { clientHello, extension, record, serverHello } from '../tls/wire.js';
import { appendNote, countersOf, END, START } from './made-spool.js';

// A long window by a clock that stands still for nobody: what the draining thread would have written in it.

export interface Hour {
  readonly handshakes: number;
  readonly perSecond: number;
  /** Of a hundred handshakes, how many are never answered. */
  readonly unanswered: number;
  /** Of a hundred handshakes, how many are of a process of their own, which ends after it. */
  readonly ownProcess: number;
}

/** Nanoseconds of CLOCK_BOOTTIME at which a handshake is begun. */
export function bootTimeOf(number: number, { perSecond }: Hour): bigint {
  return WINDOW_START + (BigInt(number) * 1_000_000_000n) / BigInt(perSecond);
}

/** The number that a hello carries. */
export function numberIn(raw: Buffer): number {
  return raw.readUInt32BE(RANDOM_AT);
}

/** Writes the spool; `onMinute` is told of each minute of the window that is over. */
export function writeHour(directory: string, hour: Hour, onMinute: (minute: number) => void): void {
  const spool = new SpoolWriter(directory);
  appendNote(spool, START);
  let frame: Buffer[] = [];
  let answered = 0;
  for (let number = 0; number < hour.handshakes; number++) {
    const bootNs = bootTimeOf(number, hour);
    frame.push(...recordsOf(number, bootNs, hour));
    const isOwn = number % 100 < hour.ownProcess;
    if (isOwn) appendNote(spool, { note: 'process', row: rowOf(number) });
    if (number % 100 < 100 - hour.unanswered) answered++;
    // As often as the ring is looked at.
    if (frame.length >= hour.perSecond / 20) {
      spool.append(FRAME.kernel, Buffer.concat(frame));
      frame = [];
    }
    if ((number + 1) % (hour.perSecond / 4) === 0) {
      appendNote(spool, { note: 'counters', counters: countersAt(number + 1, answered) });
    }
    if ((number + 1) % (hour.perSecond * 60) === 0) onMinute((number + 1) / (hour.perSecond * 60));
  }
  spool.append(FRAME.kernel, Buffer.concat(frame));
  appendNote(spool, { note: 'counters', counters: countersAt(hour.handshakes, answered) });
  const boottime = String(bootTimeOf(hour.handshakes, hour));
  appendNote(spool, { ...END, clocks: { ...END.clocks, boottime } });
  spool.close();
}

function recordsOf(number: number, bootNs: bigint, { unanswered, ownProcess }: Hour): Buffer[] {
  const isOwn = number % 100 < ownProcess;
  const pid = isOwn ? ownPid(number) : 4242;
  const flow = { cookie: BigInt(number + 1), ownerPid: pid };
  const records: Buffer[] = [];
  const task = { pid, startNs: 1_000_000_007n, comm: 'client', bootNs, exe: ['client', 'bin'] };
  if (isOwn || number === 0) records.push(processBytes(task));
  records.push(chunkBytes({ ...flow, bootNs, bytes: numbered(CLIENT, number) }));
  if (number % 100 < 100 - unanswered) {
    const bytes = numbered(SERVER, number);
    records.push(chunkBytes({ ...flow, bootNs: bootNs + 1_000_000n, bytes, direction: 1, handshakeType: 2 }));
  }
  if (isOwn) records.push(exitBytes(pid, 1_000_000_007n, 0, bootNs + 2_000_000n));
  return records;
}

function countersAt(handshakes: number, answered: number) {
  return countersOf({
    CONNECTED: handshakes,
    WITH_HELLO: handshakes,
    CLIENT_HELLOS: handshakes,
    SERVER_HELLOS: answered,
  });
}

function rowOf(number: number) {
  const sources = ['proc' as const];
  return { ...emptyProcess(ownPid(number)), startTimeNs: '1000000007', comm: 'client', exe: '/bin/client', sources };
}

function ownPid(number: number): number {
  return 10_000 + number;
}

function numbered(hello: Buffer, number: number): Buffer {
  const bytes = Buffer.from(hello);
  bytes.writeUInt32BE(number, RECORD_HEADER + RANDOM_AT);
  return bytes;
}

const RECORD_HEADER = 5;
/** RFC 8446 section 4.1.2: behind type, length and version. */
const RANDOM_AT = 6;
const CLIENT = Buffer.from(
  record(
    22,
    clientHello({
      extensions: [
        extension.serverName('hour.example'),
        extension.alpn(['h2', 'http/1.1']),
        extension.groups([29, 23]),
        extension.signatureAlgorithms([0x0403, 0x0804]),
        extension.supportedVersions([0x0304]),
      ],
    }),
  ),
);
const SERVER = Buffer.from(record(22, serverHello()));
/** A second after the clocks of START. */
const WINDOW_START = 2_000_000_000n;
