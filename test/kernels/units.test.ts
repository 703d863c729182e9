import { createHash } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import type { ExecutionContext } from 'ava';
import { bootKernel } from '../../scripts/kernels/boot.js';
import { fetchKernel, hasCachedKernel, KERNEL_RELEASES, type KernelRelease } from '../../scripts/kernels/debian.js';
import { programFiles } from '../../scripts/kernels/initramfs.js';
import {
  bitFlips,
  craftedHellos,
  distinct,
  everyNumber,
  packetHellos,
  recordedHellos,
  truncations,
} from '../bpf/hellos.js';
import { assertAgrees, assertAsRead } from '../bpf/judge.js';
import { buildRunner, packetLines, readResults, UNITS_OBJECT } from '../bpf/runner.js';
import { bytesOf } from '../bpf/units.js';
import { reasonAgainstTshark } from '../pcap/tshark.js';
import { reasonAgainstCommands, testUnless } from '../left-out.js';

// The unit tests of test/bpf once more, inside each stock kernel: its verifier and its compiler must make the same of
// the programs. Inputs go in with the guest, what run-units prints comes home and is judged here: digests by Node's
// OpenSSL, JA3 by tshark's reading in the fixtures.

const CACHE = resolve(import.meta.dirname, '../../.cache/kernels');
const LONGEST = 1023;

const reasonAgainstAll =
  process.platform === 'linux'
    ? (reasonAgainstTshark() ?? reasonAgainstCommands('qemu-system-x86_64', 'cpio', 'busybox', 'cc', 'ldd'))
    : 'the kernels boot on a Linux machine only';

for (const release of KERNEL_RELEASES) {
  const missing = release.mayBeMissing && !hasCachedKernel(release, CACHE);
  const reason = reasonAgainstAll ?? (missing ? 'may be missing, and could not be fetched' : undefined);
  testUnless(reason, `kernel ${release.name} makes the digests and JA3 strings of the BPF unit tests`, (t) =>
    runsUnits(t, release),
  );
}

async function runsUnits(t: ExecutionContext, release: KernelRelease): Promise<void> {
  t.timeout(300_000);
  const kernel = await fetchKernel(release, CACHE);
  t.log(kernel.package, ...(kernel.note === undefined ? [] : [kernel.note]));
  const directory = await mkdtemp(join(tmpdir(), 'tlsnap-guest-units-'));
  t.teardown(() => rm(directory, { recursive: true, force: true }));

  const texts = Array.from({ length: LONGEST + 1 }, (_, length) => bytesOf(length, length));
  const known = [...recordedHellos(), ...(await packetHellos())];
  const hellos = [...known.map(({ message }) => message), ...unusualHellos(distinct(known))];
  await writeFile(join(directory, 'texts'), packetLines(texts));
  await writeFile(join(directory, 'hellos'), packetLines(hellos));

  const runner = await buildRunner(directory);
  const libraries = [...(await programFiles(runner))].filter(([path]) => path !== runner);
  const result = await bootKernel({
    kernel,
    files: new Map([
      ...libraries,
      ['/guest/run-units', runner],
      ['/guest/units.bpf.o', UNITS_OBJECT],
      ['/guest/texts', join(directory, 'texts')],
      ['/guest/hellos', join(directory, 'hellos')],
    ]),
    script: SCRIPT,
    timeoutSeconds: 120,
  });
  t.deepEqual(result.splats, []);
  t.is(result.status, 0, result.serial);

  const ofTexts = readResults(result.files.get('texts')?.toString() ?? '');
  t.deepEqual(
    ofTexts.map(({ returned, md5, sha256 }) => [returned, md5, sha256]),
    texts.map((text) => [0, digest('md5', text), digest('sha256', text)]),
  );
  const ofHellos = readResults(result.files.get('hellos')?.toString() ?? '');
  assertAgrees(t, hellos, ofHellos);
  assertAsRead(t, known, ofHellos);
}

/** Those made by hand, each recorded one cut at every length, and one with bits turned: what an emulated kernel runs in seconds. */
function unusualHellos(recorded: readonly Uint8Array[]): Uint8Array[] {
  const flipped = recorded.slice(0, 1).flatMap((message) => bitFlips(message));
  return [...craftedHellos().values(), ...everyNumber(), ...recorded.flatMap(truncations), ...flipped];
}

function digest(kind: 'md5' | 'sha256', text: Uint8Array | string): string {
  return createHash(kind).update(text).digest('hex');
}

const SCRIPT = `
/guest/run-units /guest/units.bpf.o unit_digests </guest/texts >/results/texts &&
/guest/run-units /guest/units.bpf.o unit_ja3_both </guest/hellos >/results/hellos
`;
