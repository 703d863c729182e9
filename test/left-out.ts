import { accessSync, constants, existsSync, readdirSync } from 'node:fs';
import { delimiter, join, resolve } from 'node:path';
import test, { type ImplementationFn } from 'ava';

/** A serial test, or, where there is a `reason` against it, a skip whose title says the reason: `npm test` prints it. */
export function testUnless(reason: string | undefined, title: string, implementation: ImplementationFn<[]>): void {
  if (reason === undefined) test.serial(title, implementation);
  else test.serial.skip(`${title} [left out: ${reason}]`, implementation);
}

/** Why nothing can be captured live here, or undefined where it can. */
export function reasonAgainstLiveTests(): string | undefined {
  if (process.platform !== 'linux') return `capture runs on Linux only, and this is ${process.platform}`;
  if (process.getuid?.() !== 0) return 'not root';
  const missing = CAPTURE_PARTS.find((part) => !existsSync(join(PROJECT, part)));
  return missing === undefined ? undefined : `${missing} is not built`;
}

/** Why the bundle cannot be tested here, or undefined where it has been made. */
export function reasonAgainstBundleTests(): string | undefined {
  const build = join(PROJECT, 'build');
  const made = existsSync(build) && readdirSync(build).some((name) => name.endsWith('.tar.gz'));
  return made ? undefined : 'npm run bundle has not been run';
}

/** Why a test that runs `commands` cannot run here, or undefined where all are installed. */
export function reasonAgainstCommands(...commands: readonly string[]): string | undefined {
  const missing = commands.filter((command) => !isInstalled(command));
  return missing.length === 0 ? undefined : `not installed: ${missing.join(', ')}`;
}

function isInstalled(command: string): boolean {
  return (process.env.PATH ?? '').split(delimiter).some((folder) => {
    try {
      accessSync(join(folder, command), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

const PROJECT = resolve(import.meta.dirname, '..');
const CAPTURE_PARTS = ['bpf/build/tlsnap.bpf.o', 'native/build/tlsnap.node'];
