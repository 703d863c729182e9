import type { ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { Socket } from '../snapshot/schema/socket.js';
import { errorCode, ReadFault } from '../procfs/field-errors.js';
import type { Answers, FromLane, LaneSettings, Question, ToLane } from './lane-protocol.js';
import { startOwnProcess } from './own-process.js';

/** The lane did not come back from what it said it began; it was given up. */
export class LaneHung extends ReadFault {
  /** What it began last. */
  readonly at: string | null;
  /** major:minor of the device whose file it touched, where it was one. */
  readonly device: string | null;

  constructor(at: string | null, device: string | null) {
    super('TIMEOUT');
    this.at = at;
    this.device = device;
  }
}

export interface LaneLimits {
  /** How long a lane may be silent before it is given up, in ms. */
  silenceMs: number;
  /** How long it may take to start. */
  startMs: number;
}

interface Task {
  question: Question;
  onRows: ((rows: Socket[]) => void) | undefined;
  silenceMs: number;
  resolve: (answer: Answers[Question['kind']]) => void;
  reject: (error: Error) => void;
}

/**
 * Asks one question at a time of a child process that may hang. A child, not a worker thread: a thread that waits for
 * a FUSE answer cannot be killed, and holds its whole process back from ending. A child that hangs is killed, and left
 * behind if even that does not end it; the next question gets a new one.
 */
export class Lane {
  readonly #settings: LaneSettings;
  readonly #limits: LaneLimits;
  readonly #onAbandon: (child: ChildProcess) => void;
  readonly #queue: Task[] = [];
  #child: ChildProcess | undefined;
  #busy = false;
  #closed = false;
  #id = 0;

  constructor(settings: LaneSettings, limits: LaneLimits, onAbandon: (child: ChildProcess) => void) {
    this.#settings = settings;
    this.#limits = limits;
    this.#onAbandon = onAbandon;
  }

  /**
   * @param onRows receives the parts of a long answer
   * @param silenceMs where this question takes longer than others between two signs of life
   * @throws LaneHung; ReadFault with the code of what went wrong there
   */
  ask<Kind extends Question['kind']>(
    question: Extract<Question, { kind: Kind }>,
    onRows?: (rows: Socket[]) => void,
    silenceMs = this.#limits.silenceMs,
  ): Promise<Answers[Kind]> {
    return new Promise((resolve, reject) => {
      if (this.#closed) {
        reject(new ReadFault('ABANDONED'));
        return;
      }
      const settle = resolve as Task['resolve'];
      this.#queue.push({ question, onRows, silenceMs, resolve: settle, reject });
      void this.#work();
    });
  }

  /** Ends the child; what is still waiting fails with ABANDONED. */
  close(): void {
    this.#closed = true;
    for (const task of this.#queue.splice(0)) task.reject(new ReadFault('ABANDONED'));
    this.#child?.kill('SIGKILL');
    this.#child = undefined;
  }

  async #work(): Promise<void> {
    if (this.#busy) return;
    this.#busy = true;
    for (let task = this.#queue.shift(); task; task = this.#queue.shift()) {
      try {
        const child = await this.#ready();
        task.resolve(await this.#converse(child, task));
      } catch (error) {
        task.reject(error instanceof Error ? error : new ReadFault('UNKNOWN'));
      }
    }
    this.#busy = false;
  }

  /** The living child, or a new one once it has said that it is ready. */
  async #ready(): Promise<ChildProcess> {
    if (this.#child?.connected) return this.#child;
    const child = startOwnProcess(CHILD, { serialization: 'advanced' });
    this.#child = child;
    // It must not keep the reader alive: while a question is open, its timer does.
    child.unref();
    child.channel?.unref();
    // Without a listener an error (a failed kill) would be thrown; what matters is said by its exit or its silence.
    child.on('error', () => undefined);
    const talk = this.#listen(child, this.#limits.startMs, (message) => 'ready' in message || undefined);
    post(child, { settings: this.#settings });
    await talk;
    return child;
  }

  #converse(child: ChildProcess, task: Task): Promise<Answers[Question['kind']]> {
    const id = ++this.#id;
    const talk = this.#listen(child, task.silenceMs, (message) => {
      if (!('id' in message) || message.id !== id) return undefined;
      if ('rows' in message) task.onRows?.(message.rows);
      if ('fault' in message) throw new ReadFault(message.fault);
      return 'answer' in message ? message.answer : undefined;
    });
    post(child, { id, question: task.question });
    return talk;
  }

  /** Hears messages until `hear` returns something; gives the child up when it is silent for too long. */
  #listen<T>(child: ChildProcess, silenceMs: number, hear: (message: FromLane) => T | undefined): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      let begun: { at: string | null; device: string | null } = { at: null, device: null };
      const done = (): void => {
        timer.close();
        child.off('message', onMessage).off('exit', onEnd).off('error', onFault);
      };
      const onMessage = (message: unknown): void => {
        timer.refresh();
        const said = message as FromLane;
        if ('starting' in said) begun = { at: said.starting, device: said.device };
        try {
          const heard = hear(said);
          if (heard === undefined) return;
          done();
          resolve(heard);
        } catch (error) {
          done();
          reject(error instanceof Error ? error : new ReadFault('UNKNOWN'));
        }
      };
      const fail = (code: string): void => {
        done();
        this.#child = undefined;
        reject(new ReadFault(code));
      };
      const onEnd = (): void => fail('ABANDONED');
      // It did not even start.
      const onFault = (error: Error): void => fail(errorCode(error));
      const timer = setTimeout(() => {
        done();
        this.#abandon(child);
        reject(new LaneHung(begun.at, begun.device));
      }, silenceMs);
      child.on('message', onMessage).on('exit', onEnd).on('error', onFault);
    });
  }

  #abandon(child: ChildProcess): void {
    this.#child = undefined;
    child.kill('SIGKILL');
    if (child.connected) child.disconnect();
    this.#onAbandon(child);
  }
}

function post(child: ChildProcess, message: ToLane): void {
  // A child that is gone is noticed by its exit, and one that could not be started by its error.
  if (child.connected) child.send(message, () => undefined);
}

/** Beside this file, and like it either built or not. */
const CHILD = fileURLToPath(new URL(`./lane-main${import.meta.url.endsWith('.ts') ? '.ts' : '.js'}`, import.meta.url));
