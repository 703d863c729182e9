import type { FieldError } from '../snapshot/schema/process.js';

/**
 * Reads the fields of one process, one at a time. A field that cannot be read is null and an entry in `errors`; once
 * the process is gone, that is said once, and the rest is null without a word.
 */
export class FieldReader {
  readonly errors: FieldError[] = [];
  readonly #alive: () => boolean;
  #gone = false;

  /**
   * @param alive whether the process is still there, asked after a field failed
   */
  constructor(alive: () => boolean) {
    this.#alive = alive;
  }

  get gone(): boolean {
    return this.#gone;
  }

  get<T>(field: string, read: () => T): T | null {
    if (this.#gone) return null;
    try {
      return read();
    } catch (error) {
      const code = errorCode(error);
      if (VANISHED.has(code) && !this.#alive()) {
        this.#gone = true;
        this.note(field, 'ESRCH');
      } else {
        this.note(field, code);
      }
      return null;
    }
  }

  /** A field that some kernels do not have, or this process cannot have: its absence is no error. */
  optional<T>(field: string, read: () => T): T | null {
    return this.get(field, () => {
      try {
        return read();
      } catch (error) {
        if (errorCode(error) === 'ENOENT' && this.#alive()) return null;
        throw error;
      }
    });
  }

  note(field: string, code: string): void {
    this.errors.push({ field, code });
  }
}

/** A fault with a code of ours, where there is no errno. */
export class ReadFault extends Error {
  readonly code: string;

  constructor(code: string) {
    super(code);
    this.code = code;
  }
}

/** The errno's name, or `UNKNOWN`. */
export function errorCode(error: unknown): string {
  const code = (error as { code?: unknown } | null)?.code;
  return typeof code === 'string' && /^[A-Z][A-Z0-9_]*$/.test(code) ? code : 'UNKNOWN';
}

const VANISHED: ReadonlySet<string> = new Set(['ENOENT', 'ESRCH']);
