import { collectHost } from './host-facts.js';
import { sameStart } from '../procfs/clock-ticks.js';
import { ExecutableHasher } from '../procfs/executable.js';
import { errorCode, ReadFault } from '../procfs/field-errors.js';
import { readStat } from '../procfs/identity.js';
import type { Answers, FromLane, LaneSettings, Question, ToLane } from './lane-protocol.js';
import { readProcess } from '../procfs/process-row.js';
import { Procfs } from '../procfs/procfs.js';
import { sweepSockets } from '../procfs/socket-sweep.js';

/*
 * The far side of a lane: a process of its own that reads what may never return, one question at a time and without
 * any asynchrony. It says what it begins before it begins it; when it does not come back, the reader gives it up.
 */

function serve(send: (message: FromLane) => void): (message: ToLane) => void {
  let lane: { procfs: Procfs; hasher: ExecutableHasher } | undefined;
  return (message) => {
    if ('settings' in message) {
      lane = start(message.settings);
      send({ ready: true });
      return;
    }
    const { id, question } = message;
    try {
      if (!lane) throw new ReadFault('UNKNOWN');
      send({ id, answer: answer(question, lane.procfs, lane.hasher, id, send) });
    } catch (error) {
      send({ id, fault: errorCode(error) });
    }
  };
}

function start({ root, hash }: LaneSettings): { procfs: Procfs; hasher: ExecutableHasher } {
  return { procfs: new Procfs(root), hasher: new ExecutableHasher(hash) };
}

function answer(
  question: Question,
  procfs: Procfs,
  hasher: ExecutableHasher,
  id: number,
  send: (message: FromLane) => void,
): Answers[Question['kind']] {
  switch (question.kind) {
    case 'process':
      return readProcess(procfs, question.request, (field, device) => send({ id, starting: field, device }));
    case 'hash':
      send({ id, starting: 'hash', device: question.expect?.device ?? null });
      return hash(question, procfs, hasher);
    case 'sockets':
      return sweepSockets(procfs, question.when, question.limits, (rows) => send({ id, rows }));
    case 'host':
      return collectHost(question.request);
  }
}

/**
 * Through /proc while the process lives and its pid is still its own; else the file at the path, which counts only if it is
 * the same inode, and was not changed since the process was known to run. By /proc it is what runs, whatever was changed of it.
 */
function hash(
  { pid, startTimeNs, path, expect }: Extract<Question, { kind: 'hash' }>,
  procfs: Procfs,
  hasher: ExecutableHasher,
): Answers['hash'] {
  let fault: unknown = new ReadFault('ENOENT');
  if (pid !== null) {
    try {
      return procfs.using(pid, (directory) => {
        const { startTimeTicks } = readStat(directory);
        if (startTimeNs !== null && !sameStart(BigInt(startTimeNs), startTimeTicks, procfs.ticksPerSecond)) {
          throw new ReadFault('ESRCH');
        }
        const inode = expect ? { device: expect.device, inode: expect.inode } : undefined;
        return { ...hasher.hash(directory.at('exe'), inode), from: 'process' };
      });
    } catch (error) {
      if (path === null || !GONE.has(errorCode(error))) throw error;
      fault = error;
    }
  }
  if (path === null) throw fault;
  return { ...hasher.hash(path, expect ?? undefined), from: 'path' };
}

/** Another process that started within the same tick of /proc's clock has another executable: CHANGED. */
const GONE: ReadonlySet<string> = new Set(['ENOENT', 'ESRCH', 'CHANGED']);

// Started by `fork` only. Ctrl-C reaches the whole foreground group: it is the reader that decides when to end.
if (process.send) {
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => undefined);
  process.on('disconnect', () => process.exit());
  process.on(
    'message',
    serve((message) => process.send?.(message)),
  );
}
