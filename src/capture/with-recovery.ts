import { existsSync } from 'node:fs';
import { ioError, TlsnapError } from '../errors.js';

/** Nothing is lost with a window that broke off or a snapshot that could not be written: says where it still is. */
export function withRecovery(thrown: unknown, spool: string): unknown {
  const hint = recoveryHint(spool);
  if (hint === null) return thrown;
  const error = isSystemError(thrown) ? ioError(thrown.path ?? thrown.syscall ?? spool, thrown) : thrown;
  if (error instanceof TlsnapError) {
    const { kind, subject, detail, suggestions } = error;
    return new TlsnapError(kind, subject, detail, [...suggestions, hint], error);
  }
  return unforeseen(error, hint);
}

/** Null where there is no such spool. */
export function recoveryHint(spool: string): string | null {
  if (!existsSync(spool)) return null;
  return `All that was captured is in ${spool}: make the snapshot with tlsnap recover ${spool} --output FILE`;
}

/** A bug keeps its name and its stack. */
function unforeseen(error: unknown, hint: string): Error {
  const { name, message, stack } = error instanceof Error ? error : new Error(String(error));
  const told = new Error(`${message}. ${hint}`, { cause: error });
  told.name = name;
  told.stack = `${stack ?? message}\n${hint}`;
  return told;
}

function isSystemError(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && 'errno' in error && 'syscall' in error;
}
