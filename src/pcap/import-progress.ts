import type { WriteStream } from 'node:tty';

/** Told how many bytes of the capture are read, and how many there are, where that is known. */
export type Progress = (bytes: number, size: number | null) => void;

/** Shows on a terminal how far an import is, in one line that wipes itself; says nothing anywhere else. */
export function importProgress(stream: Pick<WriteStream, 'write' | 'isTTY'> | null): Progress {
  if (!stream?.isTTY) return () => undefined;
  let shown = 0;
  return (bytes, size) => {
    const now = Date.now();
    const over = size !== null && bytes >= size;
    if (!over && now - shown < INTERVAL_MS) return;
    shown = now;
    const share = size === null || size === 0 ? '' : ` of ${megabytes(size)} (${Math.floor((bytes / size) * 100)} %)`;
    stream.write(over ? '\r\x1b[K' : `\r\x1b[K${megabytes(bytes)}${share} read`);
  };
}

function megabytes(bytes: number): string {
  return `${Math.round(bytes / 1e6)} MB`;
}

const INTERVAL_MS = 200;
