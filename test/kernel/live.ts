import { mkdirSync, readdirSync, readFileSync, rmdirSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import type { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ExecutionContext } from 'ava';
import { execa, type ResultPromise } from 'execa';
import { openSnapshot, type Snapshot } from '../../src/snapshot/reader.js';
import type { Rows } from '../../src/snapshot/schema/validators.js';

// Live tests: a cgroup of their own, in which the real clients and servers run, and the real command that watches it.

export const PROJECT = resolve(import.meta.dirname, '../..');
export const TLSNAP = join(PROJECT, 'bin/run.js');

/** A finished capture: all that its snapshot holds, and what the command said. */
export interface Captured {
  readonly path: string;
  readonly snapshot: Snapshot;
  readonly handshakes: readonly Rows['handshakes'][];
  readonly processes: readonly Rows['processes'][];
  readonly sockets: readonly Rows['sockets'][];
  readonly actions: readonly Rows['actions'][];
  readonly exitCode: number | undefined;
  readonly stderr: string;
}

export interface CaptureSettings {
  /** Further flags of `tlsnap capture`. */
  readonly flags?: readonly string[];
  /** How long the window may stay open at most; the work's end closes it. */
  readonly window?: string;
  /** Watches this cgroup instead of the stage's own. */
  readonly cgroup?: string;
  /** A command line that starts the command, such as ['setpriv', '--no-new-privs']. */
  readonly within?: readonly string[];
}

export interface RunSettings {
  /** A command line that starts the command, such as ['ip', 'netns', 'exec', NAME]. */
  readonly within?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly input?: string | Buffer;
  readonly cwd?: string;
  /** Ends it after this long, in ms. */
  readonly timeout?: number;
  /** Runs it in this cgroup instead of the stage's own. */
  readonly cgroup?: string;
}

/** A process in the stage's cgroup that runs until the test is over. */
export interface Actor {
  readonly pid: number;
  readonly process: ResultPromise;
}

/** A new stage; whatever runs on it is ended, and all of it removed, when the test is over. */
export async function openStage(t: ExecutionContext): Promise<Stage> {
  const directory = await mkdtemp(join(tmpdir(), 'tlsnap-live-'));
  const stage = new Stage(directory, makeCgroup(`tlsnap-test-${process.pid}-${Date.now()}`));
  t.teardown(async () => {
    await stage.close();
    await rm(directory, { recursive: true, force: true });
  });
  return stage;
}

export class Stage {
  /** For files. */
  readonly directory: string;
  /** Absolute path of the cgroup2 directory. */
  readonly cgroup: string;
  #captures = 0;

  constructor(directory: string, cgroup: string) {
    this.directory = directory;
    this.cgroup = cgroup;
  }

  /** Runs a command in the cgroup to its end. Rejects where it fails; its stdin is empty unless given. */
  run(command: string, args: readonly string[] = [], settings: RunSettings = {}): ResultPromise {
    const { input = '', timeout = 20_000 } = settings;
    return this.#execute(command, args, { ...settings, input, timeout });
  }

  /** Starts a command in the cgroup that runs until it is stopped, at the latest when the test is over. */
  start(command: string, args: readonly string[] = [], settings: RunSettings = {}): Actor {
    const process = this.#execute(command, args, { timeout: 90_000, ...settings });
    process.catch(() => undefined);
    if (process.pid === undefined) throw new Error(`${command}: could not be started`);
    return { pid: process.pid, process };
  }

  /** The same for a server: resolves when `port` listens in the network namespace of the process. */
  async serve(port: number, command: string, args: readonly string[], settings: RunSettings = {}): Promise<Actor> {
    const actor = this.start(command, args, settings);
    await untilListening(actor.pid, port);
    return actor;
  }

  /** A cgroup below the stage's own. `name` may have slashes. */
  childCgroup(name: string): string {
    const path = join(this.cgroup, name);
    mkdirSync(path, { recursive: true });
    return path;
  }

  /** Opens a window on the cgroup, does `work` in it, closes it by SIGINT, and reads the snapshot. */
  async capture(work: () => Promise<void>, settings: CaptureSettings = {}): Promise<Captured> {
    const capture = await this.openCapture(settings);
    try {
      await work();
    } catch (error) {
      capture.process.kill('SIGKILL');
      throw error;
    }
    capture.process.kill('SIGINT');
    return capture.finished();
  }

  /** For a test that ends the window in its own way: a capture whose programs are on their hooks. */
  async openCapture(settings: CaptureSettings = {}): Promise<OpenCapture> {
    const { flags = [], window = '90s', cgroup = this.cgroup, within = [] } = settings;
    const path = join(this.directory, `capture-${this.#captures++}.tlsnap.tar.gz`);
    const args = ['capture', '--cgroup', cgroup, '--window', window, '--output', path, '--verbose', ...flags];
    const command = launch(args, within);
    let stderr = '';
    await new Promise<void>((resolve, reject) => {
      command.stderr.on('data', (chunk: Buffer) => {
        stderr += chunk.toString();
        if (/^armed/m.test(stderr)) resolve();
      });
      void command.then(({ stdout, exitCode }) =>
        reject(new Error(`tlsnap capture ended with ${exitCode}: ${stderr}${stdout}`)),
      );
    });
    return { process: command, path, finished: () => finished(command, path) };
  }

  /** Ends all that still runs in the cgroup (nobody else puts anything there), and removes it. */
  async close(): Promise<void> {
    for (let attempt = 0; ; attempt++) {
      for (const pid of processesBelow(this.cgroup)) {
        try {
          process.kill(pid, 'SIGKILL');
        } catch {
          // Gone meanwhile.
        }
      }
      try {
        return removeCgroup(this.cgroup);
      } catch (error) {
        // A process that is dying holds its cgroup for a while after it has left the list.
        if (attempt === 250) throw error;
      }
      await sleep(20);
    }
  }

  #execute(command: string, args: readonly string[], settings: RunSettings): ResultPromise {
    const { within = [], env = {}, input, cwd = this.directory, timeout = 90_000, cgroup = this.cgroup } = settings;
    const enter = ['-c', 'echo $$ > "$0" && exec "$@"', join(cgroup, 'cgroup.procs')];
    return execa('sh', [...enter, ...within, command, ...args], {
      cwd,
      env,
      timeout,
      ...(input === undefined ? { stdin: 'pipe' as const } : { input }),
    });
  }
}

export interface OpenCapture {
  readonly process: CaptureProcess;
  readonly path: string;
  /** Resolves when the command has ended, and reads its snapshot. */
  finished(): Promise<Captured>;
}

/** Resolves when a capture with `--verbose` says that its programs are on their hooks; rejects where it ends before. */
export function armed(
  running: PromiseLike<{ readonly exitCode?: number | undefined }> & { readonly stderr: Readable },
): Promise<void> {
  return new Promise((resolve, reject) => {
    let said = '';
    running.stderr.on('data', (chunk: Buffer) => {
      said += chunk.toString();
      if (/^armed/m.test(said)) resolve();
    });
    void running.then(({ exitCode }) => reject(new Error(`the capture ended with ${exitCode}: ${said}`)));
  });
}

/** Opens a snapshot and reads all of it. */
export async function readCaptured(path: string): Promise<Omit<Captured, 'exitCode' | 'stderr'>> {
  const snapshot = await openSnapshot(path);
  const rows = async <Name extends keyof Rows>(name: Name): Promise<Rows[Name][]> => {
    const all: Rows[Name][] = [];
    for await (const batch of snapshot.rows(name)) all.push(...batch);
    return all;
  };
  return {
    path,
    snapshot,
    handshakes: await rows('handshakes'),
    processes: await rows('processes'),
    sockets: await rows('sockets'),
    actions: await rows('actions'),
  };
}

/** A port on which nobody listens, on any address. */
export async function freePort(): Promise<number> {
  const server = createServer();
  return new Promise((resolve, reject) => {
    server.on('error', reject);
    server.listen(0, '::', () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address ? address.port : 0));
    });
  });
}

/** Resolves when `port` listens in the network namespace of `pid`; nobody connects to find out. */
export async function untilListening(pid: number, port: number, timeoutMs = 10_000): Promise<void> {
  const wanted = new RegExp(
    `^ *\\d+: [0-9A-F]+:${port.toString(16).toUpperCase().padStart(4, '0')} [0-9A-F]+:0000 0A`,
    'm',
  );
  await until(`${port} listens`, timeoutMs, () =>
    ['tcp', 'tcp6'].some((table) => wanted.test(readFileSync(`/proc/${pid}/net/${table}`, 'latin1'))),
  );
}

/** Resolves when `condition` holds. What it throws counts as not yet. */
export async function until(
  what: string,
  timeoutMs: number,
  condition: () => boolean | Promise<boolean>,
): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    try {
      if (await condition()) return;
    } catch {
      // Not there yet.
    }
    if (performance.now() > deadline) throw new Error(`not within ${timeoutMs} ms: ${what}`);
    await sleep(10);
  }
}

export interface Certificate {
  readonly keyFile: string;
  readonly certFile: string;
}

/** A self-signed certificate for localhost and the loopback addresses, made by openssl. */
export async function makeCertificate(directory: string, type: 'rsa:2048' | 'ec' = 'ec'): Promise<Certificate> {
  // A folder for each: two servers that start at once must not write over each other's.
  const own = await mkdtemp(join(directory, 'certificate-'));
  const [keyFile, certFile] = [join(own, 'key.pem'), join(own, 'cert.pem')];
  const key = type === 'ec' ? ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256'] : ['-newkey', type];
  const names = 'subjectAltName=DNS:localhost,DNS:*.example,IP:127.0.0.1,IP:::1';
  const fixed = ['-x509', '-nodes', '-days', '2', '-subj', '/CN=localhost', '-addext', names];
  await execa('openssl', ['req', ...fixed, ...key, '-keyout', keyFile, '-out', certFile]);
  return { keyFile, certFile };
}

/** Mount point of the cgroup2 hierarchy. On a hybrid host that is not /sys/fs/cgroup. */
export function cgroup2Mount(): string {
  const lines = readFileSync('/proc/self/mountinfo', 'latin1').split('\n');
  const mount = lines.map((line) => line.split(' ')).find((fields) => fields[fields.indexOf('-') + 1] === 'cgroup2');
  if (mount?.[4] === undefined) throw new Error('/proc/self/mountinfo: no cgroup2 is mounted');
  return mount[4];
}

function makeCgroup(name: string): string {
  const path = join(cgroup2Mount(), name);
  mkdirSync(path);
  return path;
}

function removeCgroup(path: string): void {
  for (const child of childrenOf(path)) removeCgroup(child);
  rmdirSync(path);
}

function processesBelow(path: string): number[] {
  const own = readFileSync(join(path, 'cgroup.procs'), 'latin1').split('\n').map(Number);
  return [...own.filter((pid) => pid > 0), ...childrenOf(path).flatMap(processesBelow)];
}

function childrenOf(path: string): string[] {
  return readdirSync(path, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => join(path, name));
}

type CaptureProcess = ReturnType<typeof launch>;

function launch(args: readonly string[], within: readonly string[] = []) {
  const [command = '', ...rest] = [...within, process.execPath, TLSNAP, ...args];
  return execa(command, rest, { reject: false, timeout: 110_000 });
}

async function finished(command: CaptureProcess, path: string): Promise<Captured> {
  const { exitCode, stdout, stderr } = await command;
  if (exitCode !== 0 && exitCode !== 1) throw new Error(`tlsnap capture ended with ${exitCode}: ${stderr}${stdout}`);
  return { ...(await readCaptured(path)), exitCode, stderr };
}
