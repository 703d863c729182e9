import { existsSync } from 'node:fs';
import { TlsnapError } from '../errors.js';

/** Nothing is lost with a window that broke off or a snapshot that could not be written: says where it still is. */
export function withRecovery(error: unknown, spool: string): unknown {
  const hint = recoveryHint(spool);
  if (!(error instanceof TlsnapError) || hint === null) return error;
  const { kind, subject, detail, suggestions } = error;
  return new TlsnapError(kind, subject, detail, [...suggestions, hint], error);
}

/** Null where there is no such spool. */
export function recoveryHint(spool: string): string | null {
  if (!existsSync(spool)) return null;
  return `All that was captured is in ${spool}: make the snapshot with tlsnap recover ${spool} --output FILE`;
}
