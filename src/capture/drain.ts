import { Worker } from 'node:worker_threads';
import { receivedError } from '../errors.js';
import type { Counters } from '../native/session.js';
import type { DrainSettings, FromDrain, ToDrain } from './drain-protocol.js';
import type { Note, StartNote } from './notes.js';

export interface LoadedPrograms {
  readonly tier: string;
  readonly missing: readonly string[];
  readonly programs: readonly { name: string; id: number; tag: string }[];
  readonly maps: readonly { name: string; id: number }[];
}

export interface DrainEvents {
  /** Whole process and exit records, back to back, a few milliseconds after they happened. */
  readonly onProcesses: (records: Buffer) => void;
  readonly onCounters: (counters: Counters, spoolBytes: number) => void;
  /** The thread, or one of the above, failed while the window was open; what is in the spool stays. */
  readonly onFailure: (error: Error) => void;
}

/** The main thread's handle on the draining thread (drain-worker.ts). */
export class DrainThread {
  readonly #worker: Worker;
  readonly #events: DrainEvents;
  readonly #waiting = new Map<
    FromDrain['kind'],
    { resolve: (message: FromDrain) => void; reject: (error: Error) => void }
  >();
  #failure: Error | null = null;

  constructor(settings: DrainSettings, events: DrainEvents) {
    this.#events = events;
    this.#worker = new Worker(new URL('./drain-worker.js', import.meta.url), { workerData: settings });
    this.#worker.on('message', (message: FromDrain) => {
      try {
        this.#take(message);
      } catch (error) {
        this.#fail(error as Error);
      }
    });
    this.#worker.on('error', (error) => this.#fail(error));
    this.#worker.on('exit', () => this.#fail(new Error('the draining thread ended')));
  }

  /** Resolves when the programs are loaded; rejects with a TlsnapError where the kernel does not take them. */
  async loaded(): Promise<LoadedPrograms> {
    return (await this.#expect('loaded')) as Extract<FromDrain, { kind: 'loaded' }>;
  }

  /** Resolves when every program is on its hook: what connects from now on is seen. */
  async attach(cgroupPath: string, start: StartNote): Promise<void> {
    this.#send({ kind: 'attach', cgroupPath, start });
    await this.#expect('armed');
  }

  note(note: Note): void {
    this.#send({ kind: 'note', note });
  }

  /** Takes the programs off and drains what is left. */
  async stop(): Promise<Counters> {
    this.#send({ kind: 'stop' });
    return ((await this.#expect('stopped')) as Extract<FromDrain, { kind: 'stopped' }>).counters;
  }

  /** Writes the last notes, closes the spool, and ends the thread. */
  async finish(notes: readonly Note[]): Promise<{ head: string; records: number }> {
    this.#send({ kind: 'finish', notes });
    return (await this.#expect('finished')) as Extract<FromDrain, { kind: 'finished' }>;
  }

  /** Ends the thread whatever it does; the kernel takes the programs off. */
  async terminate(): Promise<void> {
    await this.#worker.terminate();
  }

  #send(message: ToDrain): void {
    this.#worker.postMessage(message);
  }

  #expect(kind: FromDrain['kind']): Promise<FromDrain> {
    return new Promise((resolve, reject) => {
      if (this.#failure !== null) reject(this.#failure);
      else this.#waiting.set(kind, { resolve, reject });
    });
  }

  #take(message: FromDrain): void {
    if (message.kind === 'processes') this.#events.onProcesses(Buffer.from(message.records.buffer));
    else if (message.kind === 'counters') this.#events.onCounters(message.counters, message.spoolBytes);
    else if (message.kind === 'failed') this.#fail(receivedError(message.error));
    else {
      this.#waiting.get(message.kind)?.resolve(message);
      this.#waiting.delete(message.kind);
    }
  }

  #fail(error: Error): void {
    if (this.#failure !== null) return;
    this.#failure = error;
    if (this.#waiting.size === 0) this.#events.onFailure(error);
    for (const { reject } of this.#waiting.values()) reject(error);
    this.#waiting.clear();
  }
}
