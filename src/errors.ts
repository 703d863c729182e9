/** What went wrong, in terms of what the user can do about it; the base command maps each to an exit code. */
export type ErrorKind =
  /** The command line asks for something that cannot be. */
  | 'usage'
  /** An input file is not what it should be. */
  | 'input'
  /** The kernel, or something else on this host, lacks what is needed. */
  | 'unavailable'
  /** Reading or writing failed: disk full, no such directory, file exists. */
  | 'io'
  /** A privilege is missing. */
  | 'permission';

/**
 * The one base of every error that tlsnap itself raises.
 * The message reads `subject: detail`; `subject` is the file, member, line or host part that is meant.
 */
export class TlsnapError extends Error {
  override readonly name: string = 'TlsnapError';
  readonly kind: ErrorKind;
  readonly subject: string;
  readonly detail: string;
  /** What the user can do, one imperative sentence each. */
  readonly suggestions: readonly string[];

  constructor(kind: ErrorKind, subject: string, detail: string, suggestions: readonly string[] = [], cause?: unknown) {
    super(`${subject}: ${detail}`, cause === undefined ? undefined : { cause });
    this.kind = kind;
    this.subject = subject;
    this.detail = detail;
    this.suggestions = suggestions;
  }
}

/** An error as it crosses from one thread to another, which keeps no class. */
export interface SentError {
  /** Null where it is none of ours. */
  readonly kind: ErrorKind | null;
  readonly subject: string;
  readonly detail: string;
  readonly suggestions: readonly string[];
}

/** @param thread what an error that is none of ours is said to have come from */
export function sentError(thread: string, error: unknown): SentError {
  if (error instanceof TlsnapError) {
    const { kind, subject, detail, suggestions } = error;
    return { kind, subject, detail, suggestions };
  }
  const detail = error instanceof Error ? (error.stack ?? error.message) : String(error);
  return { kind: null, subject: thread, detail, suggestions: [] };
}

/** The inverse of sentError(). */
export function receivedError({ kind, subject, detail, suggestions }: SentError): Error {
  return kind === null ? new Error(`${subject}: ${detail}`) : new TlsnapError(kind, subject, detail, suggestions);
}

/** Turns what Node's fs threw about `path` into a TlsnapError; anything else is passed on unchanged. */
export function ioError(path: string, error: unknown): unknown {
  if (!(error instanceof Error) || !('code' in error) || typeof error.code !== 'string') return error;
  const { detail, suggestion } = IO_ERRORS[error.code] ?? { detail: error.message, suggestion: undefined };
  return new TlsnapError('io', path, `${detail} (${error.code})`, suggestion ? [suggestion] : [], error);
}

/** As ioError() for standard output. That its reader has ended (EPIPE) is passed on: whoever reads has enough, as head(1) does. */
export function stdoutError(error: unknown): unknown {
  if (error instanceof Error && 'code' in error && error.code === 'EPIPE') return error;
  return ioError(STDOUT, error);
}

export const STDOUT = 'standard output';

const IO_ERRORS: Record<string, { detail: string; suggestion?: string }> = {
  ENOENT: { detail: 'no such file or directory', suggestion: 'Check the path.' },
  EACCES: { detail: 'permission denied', suggestion: 'Choose a path this user may use, or run as root.' },
  EPERM: { detail: 'operation not permitted', suggestion: 'Choose a path this user may use, or run as root.' },
  EEXIST: { detail: 'exists already, and is never overwritten', suggestion: 'Name another file.' },
  ENAMETOOLONG: { detail: 'the name is too long', suggestion: 'Choose a shorter name, of at most 247 bytes.' },
  EISDIR: { detail: 'is a directory', suggestion: 'Name a file.' },
  ENOTDIR: { detail: 'a part of the path is not a directory', suggestion: 'Check the path.' },
  ESPIPE: { detail: 'is a pipe, and has to be read more than once', suggestion: 'Save it to a file first.' },
  ENOSPC: { detail: 'no space left on the device', suggestion: 'Write to another device.' },
  EROFS: { detail: 'the file system is read-only', suggestion: 'Write to another device.' },
  EDQUOT: { detail: 'the disk quota is used up', suggestion: 'Write to another device.' },
  EIO: { detail: 'the device reports an input/output error', suggestion: 'Write to another device.' },
};
