import { rmSync } from 'node:fs';

/** Files and folders that are worth nothing before they are whole, and are not to stay where a signal ends the command. */
const paths = new Set<string>();

/** Takes the path away where a signal ends the command before `whole()` or `removeHalfMade()`. */
export function halfMade(path: string): void {
  if (paths.size === 0) for (const name of SIGNALS) process.on(name, removeAll);
  paths.add(path);
}

/** It stays: it is whole, or has another name by now. */
export function whole(path: string): void {
  paths.delete(path);
  if (paths.size === 0) for (const name of SIGNALS) process.off(name, removeAll);
}

/** Takes the path away at once. */
export function removeHalfMade(path: string): void {
  rmSync(path, { recursive: true, force: true });
  whole(path);
}

function removeAll(signal: NodeJS.Signals): void {
  // Who else listens ends the command in its own way, and comes by here.
  if (process.listenerCount(signal) > 1) return;
  for (const path of [...paths]) removeHalfMade(path);
  process.kill(process.pid, signal);
}

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
