/** Boots a kernel under qemu's own emulation (no KVM needed), runs one script in it, and brings home what it left. */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { execa } from 'execa';
import tar from 'tar-stream';
import type { Kernel } from './debian.js';
import { type GuestFiles, writeInitramfs } from './initramfs.js';
import { findSplats } from './splats.js';

export interface GuestRun {
  readonly kernel: Kernel;
  readonly files: GuestFiles;
  /** Run by busybox's sh as root; whatever it writes to /results comes home. */
  readonly script: string;
  /** Added to the kernel's command line, e.g. `lockdown=confidentiality`. */
  readonly cmdline?: string;
  /** For the script alone; the boot and the way home have their own. */
  readonly timeoutSeconds: number;
  readonly memoryMegabytes?: number;
}

export interface GuestResult {
  /** Exit code of the script; 143 where its time ran out; null where the guest never got that far. */
  readonly status: number | null;
  /** What the script printed, both streams. */
  readonly output: string;
  /** Everything on the console: boot, script, panic. */
  readonly serial: string;
  readonly dmesg: string;
  /** The files of /results by their path there. */
  readonly files: ReadonlyMap<string, Buffer>;
  /** Warnings, oopses and panics, from the kernel's log and from the console. */
  readonly splats: readonly string[];
}

/** Boots `run.kernel` and runs `run.script` in it. Does not throw for what goes wrong inside the guest. */
export async function bootKernel(run: GuestRun): Promise<GuestResult> {
  const directory = await mkdtemp(join(tmpdir(), 'tlsnap-guest-'));
  const initramfs = join(directory, 'initramfs');
  const results = join(directory, 'results.tar');
  try {
    await writeInitramfs(initramfs, run.files, run.script);
    const qemu = await execa(MACHINES[run.kernel.architecture].emulator, qemuArguments(run, initramfs, results), {
      timeout: (BOOT_SECONDS + run.timeoutSeconds + RETURN_SECONDS) * 1000,
      reject: false,
      stdin: 'ignore',
      all: true,
      stripFinalNewline: false,
    });
    if (qemu.exitCode === undefined && !qemu.timedOut) throw new Error(`qemu: ${qemu.shortMessage ?? 'did not run'}`);
    const files = await readTar(await readFile(results).catch(() => Buffer.alloc(0)));
    const take = (name: string) => {
      const text = files.get(name)?.toString() ?? '';
      files.delete(name);
      return text;
    };
    const [status, output, dmesg] = [take('.status').trim(), take('.output'), take('.dmesg')];
    const serial = qemu.all;
    return {
      status: status === '' ? null : Number(status),
      output,
      serial,
      dmesg,
      files,
      splats: findSplats(dmesg === '' ? serial : dmesg),
    };
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

function qemuArguments(run: GuestRun, initramfs: string, results: string): string[] {
  const machine = MACHINES[run.kernel.architecture];
  // A panic must end the machine at once (panic=-1, -no-reboot), not wait for the time limit. Emulated on a busy machine,
  // ticks come too late for the test of the timer, which ends in such a panic (no_timer_check), and for the test of the clock
  // (tsc=reliable): a kernel that finds it unstable patches its own code, which emulated processors see only in part (int3).
  const cmdline = [
    machine.cmdline,
    `panic=-1 loglevel=5 GUEST_RESULTS=${machine.results} GUEST_TIMEOUT=${run.timeoutSeconds.toFixed()}`,
    run.cmdline ?? '',
  ].join(' ');
  return [
    ...['-accel', run.kernel.inTurns ? 'tcg,thread=single' : 'tcg'],
    ...['-m', `${(run.memoryMegabytes ?? 1024).toFixed()}M`],
    // Two, so that what runs side by side does so here too.
    ...['-cpu', run.kernel.cpu, '-smp', '2'],
    ...['-nodefaults', '-display', 'none', '-no-reboot'],
    ...['-kernel', run.kernel.image, '-initrd', initramfs, '-append', cmdline.trim()],
    ...machine.arguments(results),
  ];
}

/** The regular files of a tar archive; one that is cut short yields what came before the cut. */
async function readTar(archive: Buffer): Promise<Map<string, Buffer>> {
  const files = new Map<string, Buffer>();
  const extract = tar.extract();
  extract.end(archive);
  try {
    for await (const entry of extract) {
      const content = await buffer(entry);
      if (entry.header.type === 'file') files.set(entry.header.name.replace(/^\.\//, ''), content);
    }
  } catch {
    // The guest was stopped while it sent: its status is missing too, and says so.
  }
  return files;
}

/** What differs between the emulated machines: the console is the first serial line, and results leave by another one. */
const MACHINES = {
  amd64: {
    emulator: 'qemu-system-x86_64',
    cmdline: 'console=ttyS0 no_timer_check tsc=reliable',
    results: '/dev/ttyS1',
    arguments: (results: string) => ['-serial', 'stdio', '-serial', `file:${results}`],
  },
  arm64: {
    emulator: 'qemu-system-aarch64',
    cmdline: 'console=ttyAMA0',
    results: '/dev/ttyS0',
    // The board has one serial line of its own: the other is a PCI card.
    arguments: (results: string) => [
      ...['-machine', 'virt', '-serial', 'stdio'],
      ...['-chardev', `file,id=results,path=${results}`, '-device', 'pci-serial,chardev=results'],
    ],
  },
} as const;
const BOOT_SECONDS = 90;
const RETURN_SECONDS = 60;
