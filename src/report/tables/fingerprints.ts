import type { Fingerprint } from '../../snapshot/schema/fingerprint.js';
import { type Column, json, number, text } from './column.js';

/** Every field of an entry of the kernel's map. */
export const FINGERPRINT_COLUMNS: readonly Column<Fingerprint>[] = [
  number('pid', (row) => row.pid),
  text('start_time_ns', (row) => row.startTimeNs),
  text('side', (row) => row.side),
  text('ja3', (row) => row.ja3),
  text('ja3_sha256', (row) => row.ja3Sha256),
  number('count', (row) => row.count),
  text('first_time', (row) => row.firstTime),
  text('last_time', (row) => row.lastTime),
  text('comm', (row) => row.comm),
  number('uid', (row) => row.uid),
  number('ppid', (row) => row.ppid),
  text('cgroup_id', (row) => row.cgroupId),
  text('hashed_by', (row) => row.hashedBy),
  json('flags', (row) => row.flags),
];
