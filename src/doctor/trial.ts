import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { WatchedCgroup } from '../capture/cgroup2.js';
import { endSignal } from '../capture/end-signal.js';
import { TlsnapError } from '../errors.js';
import { startOwnProcess } from '../host/own-process.js';
import { kernelRecords } from '../native/records.js';
import { Session, type SessionOptions, type Tier } from '../native/session.js';
import { errorCode } from '../procfs/field-errors.js';
import { ja3, ja3String } from '../tls/ja3.js';
import { parseClientHello } from '../tls/client-hello.js';
import type { HandshakeReport } from './own-handshake.js';
import { ownHelloMessage } from './own-hello.js';

/** What became of loading the programs and of one handshake with them. */
export interface Trial {
  /** Null where nothing loaded: `refusal` says why. */
  readonly tier: Tier | null;
  readonly programs: readonly string[];
  readonly loadMs: number;
  readonly refusal: TlsnapError | null;
  readonly handshake: HandshakeTrial;
}

export type HandshakeTrial =
  | { readonly outcome: 'seen'; readonly hashed: boolean }
  /** The programs were on their hooks, the hello was sent, and no record of it came. */
  | { readonly outcome: 'unseen' }
  | { readonly outcome: 'not-tried'; readonly reason: string };

/**
 * Does what a capture does, in small: loads the programs, attaches them for a moment, and looks for a handshake of its own.
 * That happens in a cgroup made for it, so that nothing of anybody else's is seen; where none can be made, the programs
 * are put on the hooks of `cgroup` and taken off at once. Nothing of it is left behind.
 */
export async function tryCapture(cgroup: WatchedCgroup, options: SessionOptions): Promise<Trial> {
  const start = performance.now();
  const failed = (refusal: TlsnapError, handshake: HandshakeTrial = NOT_LOADED): Trial => {
    return { tier: null, programs: [], loadMs: performance.now() - start, refusal, handshake };
  };
  let session: Session;
  try {
    session = Session.open(options);
  } catch (error) {
    if (error instanceof TlsnapError) return failed(error);
    throw error;
  }
  const loadMs = performance.now() - start;
  const programs = session.programs().map(({ name }) => name);
  try {
    return { tier: session.tier, programs, loadMs, refusal: null, handshake: await tryHandshake(session, cgroup) };
  } catch (error) {
    if (error instanceof TlsnapError) return failed(error);
    throw error;
  } finally {
    session.close();
  }
}

async function tryHandshake(session: Session, cgroup: WatchedCgroup): Promise<HandshakeTrial> {
  const own = makeCgroup(cgroup.mount);
  if ('fault' in own) {
    session.attach(cgroup.directory);
    session.detach();
    return { outcome: 'not-tried', reason: `no cgroup of its own can be made (${own.fault})` };
  }
  // Whoever ends it early gets the cgroup taken away all the same.
  const end = endSignal();
  const child = startOwnProcess(CHILD);
  const ended = once(child, 'exit');
  try {
    await once(child, 'spawn');
    writeFileSync(join(own.path, 'cgroup.procs'), String(child.pid));
    session.attach(own.path);
    return await watch(session, child, end.signal);
  } catch (error) {
    if (error instanceof TlsnapError) throw error;
    return { outcome: 'not-tried', reason: `its own process could not be watched (${errorCode(error)})` };
  } finally {
    session.detach();
    child.kill('SIGKILL');
    await ended;
    await removeCgroup(own.path);
    end.release();
  }
}

async function watch(session: Session, child: ChildProcess, end: AbortSignal): Promise<HandshakeTrial> {
  let report: HandshakeReport | null = null;
  child.once('message', (message) => (report = message as HandshakeReport));
  child.once('exit', () => (report ??= { fault: 'it ended' }));
  child.send('go');
  const buffer = Buffer.alloc(BUFFER_BYTES);
  const deadline = performance.now() + LONGEST_MS;
  while (performance.now() < deadline && !end.aborted) {
    const found = ownHelloIn(buffer.subarray(0, session.drain(buffer, 0)), child.pid);
    if (found) return found;
    const said = report as HandshakeReport | null;
    if (said && said.fault !== null)
      return { outcome: 'not-tried', reason: `loopback does not connect (${said.fault})` };
    await sleep(POLL_MS);
  }
  return end.aborted ? { outcome: 'not-tried', reason: 'ended early' } : { outcome: 'unseen' };
}

function ownHelloIn(records: Buffer, pid: number | undefined): HandshakeTrial | null {
  const message = ownHelloMessage();
  const { hello } = parseClientHello(message);
  for (const record of kernelRecords(records)) {
    if (record.type !== 'chunk' || !record.outgoing || record.kind !== 'client') continue;
    if (record.owner?.pid !== pid || !record.bytes.includes(message)) continue;
    return { outcome: 'seen', hashed: hello !== null && record.ja3?.ja3 === ja3(ja3String(hello)) };
  }
  return null;
}

function makeCgroup(mount: string | null): { path: string } | { fault: string } {
  if (mount === null) return { fault: 'no cgroup2 is mounted' };
  const path = join(mount, `tlsnap-doctor-${process.pid}`);
  try {
    mkdirSync(path);
    return { path };
  } catch (error) {
    return { fault: errorCode(error) };
  }
}

/** A process that has just died holds its cgroup for a while. */
async function removeCgroup(path: string): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      rmdirSync(path);
      return;
    } catch (error) {
      if (errorCode(error) !== 'EBUSY' || attempt === REMOVALS) throw error;
      await sleep(POLL_MS);
    }
  }
}

const NOT_LOADED: HandshakeTrial = { outcome: 'not-tried', reason: 'no programs to see it' };
const BUFFER_BYTES = 1024 * 1024;
const POLL_MS = 10;
/** An emulated machine needs seconds to start the process that shakes hands. */
const LONGEST_MS = 15_000;
const REMOVALS = 500;
/** Beside this file, and like it either built or not. */
const CHILD = fileURLToPath(
  new URL(`./own-handshake${import.meta.url.endsWith('.ts') ? '.ts' : '.js'}`, import.meta.url),
);
