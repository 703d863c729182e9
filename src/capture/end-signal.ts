import { printable } from '../terminal.js';
import { recoveryHint } from './with-recovery.js';

export interface EndSignal {
  readonly signal: AbortSignal;
  /** From now on a second signal says that what was captured is in this spool. */
  readonly spoolAt: (spool: string) => void;
  readonly release: () => void;
}

/**
 * Turns the first Ctrl-C, SIGTERM or SIGHUP into an abort: what runs ends early, with what it has. A second one ends the process as
 * usual.
 */
export function endSignal(): EndSignal {
  const controller = new AbortController();
  let spool: string | null = null;
  const end = (name: NodeJS.Signals): void => {
    if (!controller.signal.aborted) {
      controller.abort();
      return;
    }
    release();
    const hint = spool === null ? null : recoveryHint(spool);
    if (hint !== null) process.stderr.write(`${printable(hint)}\n`);
    process.kill(process.pid, name);
  };
  const release = (): void => {
    for (const name of SIGNALS) process.off(name, end);
  };
  for (const name of SIGNALS) process.on(name, end);
  return { signal: controller.signal, spoolAt: (path) => (spool = path), release };
}

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
