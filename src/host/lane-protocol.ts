import type { Host } from '../snapshot/schema/host.js';
import type { Process } from '../snapshot/schema/process.js';
import type { Socket } from '../snapshot/schema/socket.js';
import type { HostRequest } from './host-facts.js';
import type { ExecutableDigest, ExpectedFile, HashLimits } from '../procfs/executable.js';
import type { ProcessRequest } from '../procfs/process-row.js';
import type { SocketSweep, SweepLimits } from '../procfs/socket-sweep.js';

/** What a lane is told when it starts. */
export interface LaneSettings {
  root: string;
  hash: HashLimits;
}

/** What a lane can be asked; each is answered by what `Answers` has under its kind, or by a fault. */
export type Question =
  | { kind: 'process'; request: ProcessRequest }
  | { kind: 'hash'; pid: number | null; startTimeNs: string | null; path: string | null; expect: ExpectedFile | null }
  | { kind: 'sockets'; when: Socket['when']; limits: SweepLimits }
  | { kind: 'host'; request: HostRequest };

export interface Answers {
  process: Process;
  hash: ExecutableDigest & { from: 'process' | 'path' };
  sockets: SocketSweep;
  host: Host;
}

/** From the reader to the lane. */
export type ToLane = { settings: LaneSettings } | { id: number; question: Question };

/**
 * From the lane to the reader: it is ready; it begins something that may never return; a part of a long answer; the
 * answer; or the code of what went wrong.
 */
export type FromLane =
  | { ready: true }
  | { id: number; starting: string; device: string | null }
  | { id: number; rows: Socket[] }
  | { id: number; answer: Answers[Question['kind']] }
  | { id: number; fault: string };
