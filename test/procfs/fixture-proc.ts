import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** What a made-up process's directory holds; links are made, files are written, anything else is left out. */
export interface FixtureProcess {
  pid: number;
  files?: Record<string, string | Buffer>;
  links?: Record<string, string | Buffer>;
}

/** Builds a tree like /proc below `root`. `self/mountinfo` and the like go in as pid-less `files`. */
export function buildProc(root: string, processes: FixtureProcess[], files: Record<string, string> = {}): void {
  for (const { pid, files: own = {}, links = {} } of processes) {
    const folder = join(root, String(pid));
    mkdirSync(folder, { recursive: true });
    write(folder, { stat: statOf({ pid }), ...own });
    for (const [name, target] of Object.entries(links)) {
      mkdirSync(dirname(join(folder, name)), { recursive: true });
      symlinkSync(target, join(folder, name));
    }
  }
  write(root, files);
}

/** A line as /proc/PID/stat has it, with the fields of interest set. */
export function statOf({ pid = 1, comm = 'x', state = 'S', ppid = 0, flags = 0, ticks = '100' }): string {
  const zeros = (count: number): string => Array(count).fill('0').join(' ');
  return `${pid} (${comm}) ${state} ${ppid} ${zeros(4)} ${flags} ${zeros(12)} ${ticks} ${zeros(30)}\n`;
}

function write(folder: string, files: Record<string, string | Buffer>): void {
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), content);
  }
}
