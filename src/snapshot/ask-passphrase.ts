import { closeSync, openSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { Writable } from 'node:stream';
import { ReadStream } from 'node:tty';
import { TlsnapError } from '../errors.js';
import { printable } from '../terminal.js';

/**
 * Asks for the passphrase of `keyFile` on the terminal, whatever stdin and stdout are, without showing it.
 * Undefined where there is no terminal. Throws a TlsnapError of kind `usage` on Ctrl-C.
 */
export async function askPassphrase(keyFile: string): Promise<string | undefined> {
  const terminal = openTerminal();
  if (!terminal) return undefined;
  const silent = new Writable({ write: (_chunk, _encoding, done) => done() });
  const lines = createInterface({ input: terminal.input, output: silent, terminal: true });
  process.stderr.write(`Passphrase of ${printable(keyFile)}: `);
  try {
    return await new Promise<string>((resolve, reject) => {
      lines.once('line', resolve);
      const interrupted = () => reject(new TlsnapError('usage', keyFile, 'its passphrase was not given'));
      lines.once('SIGINT', interrupted);
      lines.once('close', interrupted);
    });
  } finally {
    lines.close();
    terminal.close();
    process.stderr.write('\n');
  }
}

/** The controlling terminal, as ssh-keygen takes it; on Windows stdin, if that is one. */
function openTerminal(): { input: NodeJS.ReadStream; close: () => void } | undefined {
  if (process.platform === 'win32') {
    return process.stdin.isTTY ? { input: process.stdin, close: () => process.stdin.pause() } : undefined;
  }
  let fd: number;
  try {
    fd = openSync('/dev/tty', 'r+');
  } catch {
    return undefined;
  }
  try {
    const input = new ReadStream(fd);
    return { input: input, close: () => input.destroy() };
  } catch {
    closeSync(fd);
    return undefined;
  }
}
