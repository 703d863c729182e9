import { Errors, type Interfaces } from '@oclif/core';
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

/** @param error anything that was thrown, also what oclif throws itself */
export function exitCodeOf(error: unknown): number {
  if (error instanceof TlsnapError) return EXIT_OF_KIND[error.kind];
  if (isClosedPipe(error)) return EXIT.io;
  if (lacksDescriptors(error)) return EXIT.unavailable;
  // A file of ours that is not there is not what the user got wrong.
  if (isModuleLoadError(error)) return EXIT.bug;
  const exit = (error as { oclif?: { exit?: unknown } }).oclif?.exit;
  return typeof exit === 'number' ? exit : EXIT.bug;
}

export function exitCodeOfKind(kind: ErrorKind): number {
  return EXIT_OF_KIND[kind];
}

/** Node cannot even load the rest of a command. */
function lacksDescriptors(error: unknown): boolean {
  return error instanceof Error && 'code' in error && (error.code === 'EMFILE' || error.code === 'ENFILE');
}

/** Whoever read our output has ended. */
export function isClosedPipe(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'EPIPE';
}

/** What to tell of it: printable, and for what nobody foresaw, as a bug of ours. */
export function described(error: unknown, version: string): { message: string; suggestions: string[] } {
  if (error instanceof TlsnapError) return { message: printable(error.message), suggestions: [...error.suggestions] };
  if (error instanceof Errors.CLIError && !isModuleLoadError(error)) {
    return { message: error.message, suggestions: [...((error as Interfaces.PrettyPrintableError).suggestions ?? [])] };
  }
  if (lacksDescriptors(error)) {
    const message = 'this process: more files are needed than it may open';
    return { message, suggestions: ['Raise its limit first: ulimit -n 1024'] };
  }
  const { name, message, stack } =
    error instanceof Error ? error : { name: 'Error', message: String(error), stack: '' };
  const report = `Report it with this line, the command you ran, tlsnap ${version} and Node ${process.version}`;
  return process.env['DEBUG']
    ? { message: `unexpected: ${stack ?? message}`, suggestions: [`${report}.`] }
    : {
        message: `unexpected: ${printable(`${name}: ${message}`)}; this is a bug in tlsnap`,
        suggestions: [`${report}; DEBUG=tlsnap shows the stack.`],
      };
}

/**
 * oclif's words about a command line: what was typed made harmless, `feed x` and not `feed:x`, and without its advice on flags that
 * swallow what follows, as none of ours does.
 */
export function inPlainWords<CLIError extends Error>(error: CLIError): CLIError {
  const words = error.message
    .replace(/^command (.+) not found$/s, (_, id: string) => `command ${id.replaceAll(':', ' ')} not found`)
    .replace(/\n\nNote: [^]*? beginning of arguments\./, '');
  error.message = words.split('\n').map(printable).join('\n');
  return error;
}

/** oclif's own, for a command's file that cannot be imported; it is not exported. */
function isModuleLoadError(error: unknown): boolean {
  return error instanceof Error && error.name === 'ModuleLoadError';
}

const EXIT_OF_KIND: Record<ErrorKind, number> = {
  usage: EXIT.usage,
  input: EXIT.input,
  unavailable: EXIT.unavailable,
  io: EXIT.io,
  permission: EXIT.permission,
};
