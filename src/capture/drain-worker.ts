import { constants, setPriority } from 'node:os';
import { parentPort, workerData } from 'node:worker_threads';
import { sentError } from '../errors.js';
import { RECORD_TYPE } from '../native/layout.js';
import { recordAt } from '../native/records.js';
import { Session } from '../native/session.js';
import type { DrainSettings, FromDrain, ToDrain } from './drain-protocol.js';
import type { Note } from './notes.js';
import { appendFingerprints, appendNote } from './pieces.js';
import { FRAME, removeSpool } from './spool.js';
import { SpoolWriter } from './spool-writer.js';
import { addSubtree } from './subtree.js';

/**
 * The draining thread: kernel ring to spool, and nothing else, so that whatever the main thread does never lets the ring
 * fill. It is the only writer of the spool.
 */
class Drain {
  readonly #settings: DrainSettings;
  readonly #session: Session;
  readonly #buffer = Buffer.alloc(BUFFER_BYTES);
  readonly #send: (message: FromDrain) => void;
  #spool: SpoolWriter | null = null;
  #running = false;
  /** Nothing came in the last turn. */
  #idle = false;
  #lastSync = 0;
  #syncedBytes = 0;
  #lastCounters = 0;
  /** The counters as they were noted last. */
  #noted = '';
  /** How many programs were known to be off their hooks. */
  #detached = 0;

  constructor(settings: DrainSettings, send: (message: FromDrain) => void) {
    this.#settings = settings;
    this.#send = send;
    this.#session = Session.open(settings.session);
    goFirst();
    const { name, missing } = this.#session.tier;
    send({ kind: 'loaded', tier: name, missing, programs: this.#session.programs(), maps: this.#session.maps() });
  }

  take(message: ToDrain): void {
    switch (message.kind) {
      case 'attach':
        this.#attach(message.cgroupPath, message.start);
        break;
      case 'note':
        this.#note(message.note);
        break;
      case 'stop':
        this.#stop();
        break;
      case 'finish':
        this.#finish(message.notes);
    }
  }

  close(): void {
    this.#running = false;
    this.#session.close();
  }

  #attach(cgroupPath: string, start: Note): void {
    const { spoolDirectory } = this.#settings;
    this.#spool = new SpoolWriter(spoolDirectory);
    try {
      this.#note(start);
      this.#session.attach(cgroupPath);
      const { pid } = this.#settings.session.scope;
      if (pid !== null) addSubtree(this.#session, pid);
    } catch (error) {
      // Here and nowhere else: a spool that was there before is another capture's evidence.
      removeSpool(spoolDirectory);
      throw error;
    }
    this.#send({ kind: 'armed' });
    this.#running = true;
    this.#turn();
  }

  /**
   * One look at the ring, which blocks for a while where there is nothing; then lets messages in. While records come it
   * polls: to be woken costs those who connect more than that costs here. When none came it is woken by the next one.
   */
  #turn(): void {
    if (!this.#running) return;
    this.#idle = this.#drainOnce(this.#idle ? IDLE_MS : POLL_MS, this.#idle) === 0;
    const now = performance.now();
    if (now - this.#lastCounters >= (this.#idle ? IDLE_COUNTERS_MS : COUNTERS_MS)) {
      this.#lastCounters = now;
      this.#tellCounters();
    }
    const bytes = this.#spool?.bytes ?? 0;
    if (bytes > this.#syncedBytes && now - this.#lastSync >= this.#settings.syncMs) {
      this.#lastSync = now;
      this.#syncedBytes = bytes;
      this.#spool?.sync().catch(fail);
    }
    setImmediate(guarded(() => this.#turn()));
  }

  #tellCounters(): void {
    this.#tellDetached();
    const counters = this.#session.counters();
    const note = JSON.stringify(counters);
    if (note !== this.#noted) this.#note({ note: 'counters', counters });
    this.#noted = note;
    this.#send({ kind: 'counters', counters, spoolBytes: this.#spool?.bytes ?? 0 });
  }

  #tellDetached(): void {
    const programs = this.#session.detachedPrograms();
    if (programs.length > this.#detached) this.#note({ note: 'detached', programs });
    this.#detached = programs.length;
  }

  #drainOnce(timeoutMs: number, untilWoken = false): number {
    const used = this.#session.drain(this.#buffer, timeoutMs, untilWoken);
    if (used === 0) return 0;
    const bytes = this.#buffer.subarray(0, used);
    this.#spool?.append(FRAME.kernel, bytes);
    const records = processRecords(bytes);
    if (records) this.#send({ kind: 'processes', records });
    return used;
  }

  #note(note: Note): void {
    if (this.#spool) appendNote(this.#spool, note);
  }

  #stop(): void {
    this.#running = false;
    this.#tellDetached();
    this.#session.detach();
    while (this.#drainOnce(0) > 0);
    if (this.#spool) appendFingerprints(this.#spool, this.#session.fingerprints());
    const counters = this.#session.counters();
    this.#note({ note: 'counters', counters });
    this.#send({ kind: 'stopped', counters });
  }

  #finish(notes: readonly Note[]): void {
    for (const note of notes) this.#note(note);
    this.#spool?.close();
    this.#session.close();
    this.#send({ kind: 'finished', head: this.#spool?.head ?? '', records: this.#spool?.records ?? 0 });
    parentPort?.close();
  }
}

/**
 * Gives this thread, and no other, precedence over what else the host runs: it needs little, but where it has to wait for a
 * processor the ring fills. Without CAP_SYS_NICE it waits its turn, and what that loses is counted.
 */
function goFirst(): void {
  try {
    setPriority(THIS_THREAD, constants.priority.PRIORITY_HIGH);
  } catch {
    // It is allowed to fail.
  }
}

/** Copies the records of processes and exits out of a drain; null where there are none. */
function processRecords(bytes: Buffer): Uint8Array | null {
  const found: Buffer[] = [];
  for (let at = 0; at < bytes.length;) {
    const { type, size } = recordAt(bytes, at);
    const padded = (size + 7) & ~7;
    if (type === RECORD_TYPE.PROCESS || type === RECORD_TYPE.EXIT) found.push(bytes.subarray(at, at + padded));
    at += padded;
  }
  return found.length === 0 ? null : new Uint8Array(Buffer.concat(found));
}

function send(message: FromDrain): void {
  parentPort?.postMessage(message);
}

function fail(error: unknown): void {
  drain?.close();
  send({ kind: 'failed', error: sentError('drain', error) });
  parentPort?.close();
}

function guarded(body: () => void): () => void {
  return () => {
    try {
      body();
    } catch (error) {
      fail(error);
    }
  };
}

/** To the kernel, a priority is a thread's, and 0 is who asks: setpriority(2). */
const THIS_THREAD = 0;
/** A drain of 4 MiB is some 5,000 hellos. */
const BUFFER_BYTES = 4 * 1024 * 1024;
const POLL_MS = 25;
/** What the end of the window, and a process that was read, wait for at most. */
const IDLE_MS = 200;
const COUNTERS_MS = 250;
const IDLE_COUNTERS_MS = 1000;

let drain: Drain | null = null;
guarded(() => {
  drain = new Drain(workerData as DrainSettings, send);
})();
parentPort?.on('message', (message: ToDrain) => guarded(() => drain?.take(message))());
