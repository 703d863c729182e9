import type { BrowserLikeness } from './browsers.js';
import type { TlsStacks } from './tls-stacks.js';
import type { UnusualExecutable } from './unusual-executable.js';

/** Who does something, and the handshakes that show it. */
export interface Sighting {
  readonly exe: string | null;
  readonly comm: string | null;
  pid: number | null;
  startTimeNs: string | null;
  readonly seqs: number[];
  handshakes: number;
}

export interface BrowserSighting extends Sighting {
  readonly likeness: BrowserLikeness;
  readonly ja4: string | null;
  readonly grease: boolean;
}

export interface UnusualSighting extends Sighting {
  readonly unusual: UnusualExecutable;
  /** The processes that do, by pid and start time. */
  readonly pids: Set<string>;
}

export interface StackSighting extends Sighting {
  readonly container: string | null;
  readonly stacks: TlsStacks;
}
