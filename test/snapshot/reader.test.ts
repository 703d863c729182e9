import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { constants, deflateRawSync, gunzipSync, gzipSync } from 'node:zlib';
import test, { type ExecutionContext } from 'ava';
import { execa } from 'execa';
import fc from 'fast-check';
import { extract } from 'tar-stream';
import { TlsnapError } from '../../src/errors.js';
import { readContainer } from '../../src/snapshot/container.js';
import { openSnapshot, openSource, type Snapshot } from '../../src/snapshot/reader.js';
import { canonicalHeader } from '../../src/snapshot/tar-header.js';
import { reasonAgainstCommands, testUnless } from '../left-out.js';
import { makeTar, makeTarGz, type Entry } from './hostile-tar.js';
import { handshakeAt, temporaryFolder, writeSample } from './sample.js';

const TOP = 'web1-20261122T092008Z.tlsnap';

test('reads back every row that was written', async (t) => {
  const folder = await temporaryFolder(t);
  const { path, manifest, manifestSha256 } = await writeSample(folder, { handshakes: 1000 });
  const snapshot = await openSnapshot(path);
  t.deepEqual(snapshot.manifest, manifest);
  t.is(snapshot.manifestSha256, manifestSha256);
  const rows = await all(snapshot.rows('handshakes'));
  t.is(rows.length, 1000);
  t.deepEqual(rows[999], { seq: 999, ...handshakeAt(999n) });
  const counts: Record<string, number> = {};
  for await (const batch of snapshot.batches(['handshakes', 'processes', 'sockets', 'actions', 'fingerprints'])) {
    counts[batch.member] = (counts[batch.member] ?? 0) + batch.rows.length;
  }
  t.deepEqual(counts, { handshakes: 1000, fingerprints: 1, processes: 1, sockets: 1, actions: 1 });
  t.is((await snapshot.host())?.hostname, 'web1');
});

test('reads a snapshot in the order of stdout, manifest last', async (t) => {
  const entries = await entriesOfSample(t);
  const path = await written(t, await makeTarGz([...entries.slice(3), ...entries.slice(0, 3)]));
  const snapshot = await openSnapshot(path);
  t.is((await all(snapshot.rows('handshakes'))).length, 3);
});

test('what is a true snapshot for GNU tar and tar-stream has the same members here', async (t) => {
  const folder = await temporaryFolder(t);
  const { path } = await writeSample(folder);
  const inflated = gunzipSync(await readFile(path));
  const ours: [string, number][] = [];
  for await (const events of readContainer('it', Readable.from([inflated]))) {
    for (const { kind, member } of events) if (kind === 'start') ours.push([member.path, member.size]);
  }
  const theirs: [string, number][] = [];
  const extraction = extract();
  Readable.from([inflated]).pipe(extraction);
  for await (const entry of extraction) {
    theirs.push([entry.header.name.slice(TOP.length + 1), entry.header.size]);
    entry.resume();
  }
  const gnu = await execa('tar', ['-tzf', path]);
  t.deepEqual(ours, theirs);
  t.deepEqual(
    ours.map(([name]) => `${TOP}/${name}`),
    gnu.stdout.split('\n'),
  );
});

const file = (name: string, content = 'x'): Entry => ({ name: `${TOP}/${name}`, content });
const LONG = `${TOP}/executables/${'a'.repeat(300)}`;

const HOSTILE: readonly [what: string, entries: readonly Entry[], message: RegExp][] = [
  ['a path out of the folder', [{ name: `${TOP}/../../etc/passwd` }], /not a member/],
  ['a path that starts with ..', [{ name: '../manifest.json' }], /does not lie in a folder/],
  ['an absolute path', [{ name: '/etc/passwd' }], /does not lie in a folder/],
  ['a member without a folder', [{ name: 'manifest.json' }], /does not lie in a folder/],
  ['a symbolic link', [{ name: `${TOP}/manifest.json`, type: 'symlink', linkname: '/etc/passwd' }], /symbolic link/],
  ['a hard link', [{ name: `${TOP}/manifest.json`, type: 'link', linkname: '/etc/passwd' }], /hard link/],
  ['a character device', [{ name: `${TOP}/manifest.json`, type: 'character-device' }], /character device/],
  ['a block device', [{ name: `${TOP}/manifest.json`, type: 'block-device' }], /block device/],
  ['a FIFO', [{ name: `${TOP}/manifest.json`, type: 'fifo' }], /FIFO/],
  ['a folder', [{ name: `${TOP}/`, type: 'directory' }], /folder entry/],
  ['a PAX header', [{ name: LONG, content: 'x' }], /PAX header/],
  ['a PAX header that renames', [{ ...file('signer.pub'), pax: { path: `${TOP}/manifest.json` } }], /PAX header/],
  ['a member twice', [file('signer.pub'), file('signer.pub')], /is there twice/],
  ['a second folder', [file('signer.pub'), { name: 'other.tlsnap/manifest.json' }], /does not lie in the folder/],
  ['an unknown member', [file('handshakes.ndjson.bak')], /not a member that the format knows/],
  ['an executable that is not named by a digest', [file('executables/sh')], /not a member/],
  ['a manifest beyond its bound', [file('manifest.json', 'x'.repeat(33 * 1024 * 1024))], /more than it may have/],
  ['no manifest', [file('handshakes.ndjson')], /no manifest\.json/],
  ['a manifest that is no JSON', [file('manifest.json', '{')], /manifest\.json: not JSON/],
  ['a manifest that is another JSON', [file('manifest.json', '[]')], /not the manifest of a tlsnap snapshot/],
  ['another owner', [{ ...file('signer.pub'), uid: 1000 }], /its tar header is not as tlsnap writes it/],
];

for (const [what, entries, message] of HOSTILE) {
  test(`is refused with its place: ${what}`, async (t) => {
    const folder = await temporaryFolder(t);
    const path = join(folder, 'hostile.tlsnap.tar.gz');
    await writeFile(path, await makeTarGz(entries));
    await refused(t, () => openSnapshot(path), message);
    t.deepEqual(await readdir(folder), ['hostile.tlsnap.tar.gz'], 'nothing is written');
  });
}

test('is refused: GNU long names, sparse files and global PAX headers', async (t) => {
  for (const [type, what] of [
    ['L', /GNU long name/],
    ['K', /GNU long link/],
    ['S', /sparse/],
    ['g', /PAX global/],
    ['7', /type 55/],
  ] as const) {
    const header = retyped(canonicalHeader(`${TOP}/manifest.json`, 0, 0), type);
    await refused(t, () => openBytes(gzipSync(Buffer.concat([header, Buffer.alloc(1024)]))), what);
  }
});

test('is refused: a future format version, told apart from a broken manifest', async (t) => {
  const manifest = (version: unknown) =>
    file('manifest.json', JSON.stringify({ format: 'tlsnap', formatVersion: version }));
  const error = await refused(
    t,
    async () => openBytes(await makeTarGz([manifest(2)])),
    /format version 2; this .* reads 1/,
  );
  t.deepEqual(error.suggestions, ['Read it with a newer tlsnap.']);
  await refused(t, async () => openBytes(await makeTarGz([manifest('1')])), /manifest\.json: /);
});

test('is refused: a line of another type, not JSON, not UTF-8, without its end, or too long', async (t) => {
  const good = JSON.stringify({ seq: 0, ...handshakeAt(0n) });
  for (const [content, message] of [
    [`${good}\n${good.replace('"tcp"', '"sctp"')}\n`, /handshakes\.ndjson line 2: \/transport/],
    [`${good.replace('"seq":0', '"seq":"0"')}\n`, /line 1: \/seq/],
    [`${good.replace('"error":null', '"error":null,"more":1')}\n`, /line 1: /],
    [`${good.replace('"error":null', '"__proto__":{"a":1},"error":null')}\n`, /line 1: /],
    [`${good}\n[]\n`, /line 2: /],
    [`${good}\n{"seq":\n`, /line 2: not JSON/],
    [`${good}\n\n`, /line 2: not JSON/],
    [`${good}\n${good}`, /line 2: the last line has no end/],
    [Buffer.concat([Buffer.from(good), Buffer.of(0xff), Buffer.from('\n')]), /not UTF-8/],
    [`${'['.repeat(5 * 1024 * 1024)}\n`, /line 1: more than 4194304 bytes/],
  ] as const) {
    const entries = await entriesOfSample(t);
    const changed = entries.map((entry) => (entry.name.endsWith('handshakes.ndjson') ? { ...entry, content } : entry));
    const snapshot = await openBytes(await makeTarGz(changed));
    await refused(t, () => all(snapshot.rows('handshakes')), message);
    await refused(t, () => all(excerptsOf(snapshot)), message);
  }
});

test('is refused: a member with another content, and one that is missing', async (t) => {
  const entries = await entriesOfSample(t);
  const actions = entries.find(({ name }) => name.endsWith('actions.ndjson'));
  const without = entries.filter((entry) => entry !== actions);
  const other = { ...actions, name: actions?.name ?? '', content: '' };
  const changed = await openBytes(await makeTarGz([...without, other]));
  await refused(t, () => all(changed.rows('actions')), /actions\.ndjson: does not have the digest/);
  const lacking = await openBytes(await makeTarGz(without));
  await refused(t, () => all(lacking.rows('actions')), /actions\.ndjson: is missing/);
});

test('is refused within bounded memory and time: a bomb of 2 GiB of zeros in one line', async (t) => {
  // Flushed blocks may follow each other: 128 times the same 16 MiB, after the header of a member of that size.
  const flushed = (bytes: Buffer) => deflateRawSync(bytes, { finishFlush: constants.Z_FULL_FLUSH });
  const zeros = flushed(Buffer.alloc(16 * 1024 * 1024));
  const entries = (await entriesOfSample(t)).slice(0, 3);
  const start = (await makeTar(entries)).subarray(0, -1024);
  const header = canonicalHeader(`${TOP}/handshakes.ndjson`, 2 ** 31, 1_795_339_268);
  const blocks = [flushed(Buffer.concat([start, header])), ...Array.from({ length: 128 }, () => zeros)];
  const bomb = Buffer.concat([gzipSync('').subarray(0, 10), ...blocks]);
  const snapshot = await openBytes(bomb);
  const before = process.memoryUsage().rss;
  await refused(t, () => all(snapshot.rows('handshakes')), /line 1: more than 4194304 bytes/);
  await refused(t, () => all(snapshot.rows('sockets')), /inflates more than 400 times, which no snapshot does/);
  t.true(process.memoryUsage().rss - before < 300e6);
});

test('is refused: what is no gzip, an age file, nothing, and no file', async (t) => {
  const folder = await temporaryFolder(t);
  const path = join(folder, 'file');
  await writeFile(path, 'plain text, and long enough');
  await refused(t, () => openSnapshot(path), /it is not gzip/);
  await writeFile(path, 'age-encryption.org/v1\n');
  await refused(t, () => openSnapshot(path), /encrypted with age/);
  await writeFile(path, '');
  await refused(t, () => openSnapshot(path), /it is not gzip/);
  await writeFile(path, gzipSync('text'));
  await refused(t, () => openSnapshot(path), /not a snapshot/);
  const missing = await t.throwsAsync(openSnapshot(join(folder, 'none')), { instanceOf: TlsnapError });
  t.is(missing.kind, 'io');
});

testUnless(reasonAgainstCommands('mkfifo', 'cat'), 'is refused: a pipe, with what to do instead', async (t) => {
  const folder = await temporaryFolder(t);
  const { path } = await writeSample(folder);
  const pipe = join(folder, 'pipe');
  await execa('mkfifo', [pipe]);
  const writing = execa('sh', ['-c', 'cat "$0" > "$1"', path, pipe], { reject: false });
  const error = await t.throwsAsync(openSnapshot(pipe), { instanceOf: TlsnapError });
  await writing;
  t.is(error.kind, 'io');
  t.is(error.message, `${pipe}: is a pipe, and has to be read more than once (ESPIPE)`);
  t.deepEqual(error.suggestions, ['Save it to a file first.']);
});

test('is refused or gives all that was asked for, wherever it is cut', async (t) => {
  const folder = await temporaryFolder(t);
  const { path } = await writeSample(folder, { handshakes: 1 });
  const whole = await readFile(path);
  const first = whole.indexOf(Buffer.from([0x1f, 0x8b, 8, 0x10]), 10);
  const last = await all((await openSnapshot(path)).rows('actions'));
  for (let end = 0; end < first; end += 37) {
    try {
      // Cut behind the last row, which has its digest: nothing of what was asked for is missing.
      t.deepEqual(await all((await openBytes(whole.subarray(0, end))).rows('actions')), last);
    } catch (error) {
      t.true(error instanceof TlsnapError && error.kind === 'input', String(error));
    }
  }
});

test('any tar of any bytes is either read or refused as an input error, in any chunks', async (t) => {
  const entry = fc.record({
    path: fc.constantFrom('manifest.json', 'signer.pub', 'handshakes.ndjson', '../x', 'y'),
    size: fc.constantFrom(0, 1, 511, 512, 513, 2 ** 40),
    content: fc.uint8Array({ maxLength: 600 }),
    flip: fc.option(fc.nat({ max: 511 })),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(entry, { maxLength: 4 }), fc.integer({ min: 1, max: 700 }), async (entries, step) => {
      const blocks = entries.flatMap(({ path, size, content, flip }) => {
        const header = canonicalHeader(`${TOP}/${path}`, size, 0);
        if (flip !== null) header[flip] = (header[flip] ?? 0) ^ 1;
        return [header, Buffer.from(content)];
      });
      const tar = Buffer.concat(blocks);
      const chunks = Array.from({ length: Math.ceil(tar.length / step) }, (_, at) =>
        tar.subarray(at * step, at * step + step),
      );
      const outcomes = await Promise.all([[tar], chunks].map((pieces) => outcomeOf(pieces)));
      t.is(outcomes[0], outcomes[1], 'the chunks make no difference');
    }),
    { numRuns: 300 },
  );
});

/** The entries of a sample snapshot, in its order. */
async function entriesOfSample(t: ExecutionContext): Promise<Entry[]> {
  const { path } = await writeSample(await temporaryFolder(t));
  const entries: Entry[] = [];
  const extraction = extract();
  Readable.from([gunzipSync(await readFile(path))]).pipe(extraction);
  for await (const entry of extraction) {
    const chunks: Buffer[] = [];
    for await (const chunk of entry) chunks.push(chunk as Buffer);
    entries.push({ name: entry.header.name, content: Buffer.concat(chunks) });
  }
  return entries;
}

async function written(t: ExecutionContext, bytes: Buffer): Promise<string> {
  const path = join(await temporaryFolder(t), 'it.tlsnap.tar.gz');
  await writeFile(path, bytes);
  return path;
}

function openBytes(bytes: Buffer): Promise<Snapshot> {
  return openSource({ name: 'it', open: () => Readable.from([bytes]) });
}

async function refused(t: ExecutionContext, read: () => Promise<unknown>, message: RegExp): Promise<TlsnapError> {
  const error = await t.throwsAsync<TlsnapError>(read, { instanceOf: TlsnapError, message });
  t.is(error.kind, 'input');
  return error;
}

async function* excerptsOf(snapshot: Snapshot): AsyncGenerator<object[], void> {
  for await (const { rows } of snapshot.excerpts()) yield [...rows];
}

async function all<Row>(batches: AsyncIterable<Row[]>): Promise<Row[]> {
  const rows: Row[] = [];
  for await (const batch of batches) rows.push(...batch);
  return rows;
}

async function outcomeOf(chunks: readonly Buffer[]): Promise<string> {
  const met: string[] = [];
  // Padding is reported once for each of its pieces.
  const deviations = new Set<string>();
  const take = (place: string, problem: string) =>
    deviations.add(problem.includes('padding') ? problem : `${place}: ${problem}`);
  try {
    for await (const events of readContainer('it', Readable.from(chunks), take)) {
      for (const { kind, member } of events) if (kind !== 'data') met.push(`${kind} ${member.path}`);
    }
  } catch (error) {
    if (!(error instanceof TlsnapError) || error.kind !== 'input') throw error;
    met.push(error.message);
  }
  return [...met, ...deviations].join('\n');
}

function retyped(header: Buffer, type: string): Buffer {
  header.write(type, 156, 'latin1');
  header.fill(' ', 148, 156);
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return header;
}
