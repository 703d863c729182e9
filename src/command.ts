import { Command, Errors, type Interfaces } from '@oclif/core';
import { type ErrorKind, TlsnapError } from './errors.js';
import { printable } from './terminal.js';

/** Exit codes of the contract. Scripts depend on them; they are the same with and without `--json`. */
export const EXIT = {
  done: 0,
  found: 1,
  usage: 2,
  input: 65,
  unavailable: 69,
  bug: 70,
  io: 74,
  permission: 77,
} as const;

/**
 * The base of every command: owns `--json`, errors and exit codes.
 * A command parses its flags, makes one call, returns an object, and says with `found()` that something was found.
 */
export abstract class BaseCommand extends Command {
  static override enableJsonFlag = true;

  /** Ends the command with exit code 1 once its result is out: a hit, a difference, a failed check, a loss. */
  protected found(): void {
    process.exitCode = EXIT.found;
  }

  protected override async catch(error: Interfaces.CommandError): Promise<never> {
    // `--json` makes oclif swallow the error and exit 1: both places must carry our code.
    const exit = exitCodeOf(error);
    process.exitCode = exit;
    Object.assign(error, { oclif: { ...error.oclif, exit } });
    if (this.jsonEnabled()) return super.catch(error) as Promise<never>;
    if (error instanceof TlsnapError) {
      throw Object.assign(
        new Errors.CLIError(printable(error.message), {
          exit,
          ...(error.suggestions.length > 0 && { suggestions: [...error.suggestions] }),
        }),
      );
    }
    return super.catch(error) as Promise<never>;
  }

  protected override toErrorJson(error: unknown): unknown {
    const fault = error as Partial<TlsnapError> & { message?: string };
    return {
      error: {
        code: exitCodeOf(error),
        message: fault.message ?? String(error),
        suggestions: [...(fault.suggestions ?? [])],
      },
    };
  }
}

function exitCodeOf(error: unknown): number {
  if (error instanceof TlsnapError) return EXIT_OF_KIND[error.kind];
  const exit = (error as { oclif?: { exit?: unknown } }).oclif?.exit;
  return typeof exit === 'number' ? exit : EXIT.bug;
}

const EXIT_OF_KIND: Record<ErrorKind, number> = {
  usage: EXIT.usage,
  input: EXIT.input,
  unavailable: EXIT.unavailable,
  io: EXIT.io,
  permission: EXIT.permission,
};
