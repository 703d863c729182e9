import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { compose } from '../../src/capture/compose.js';
import { appendNote as appendShortNote } from '../../src/capture/pieces.js';
import { SpoolWriter } from '../../src/capture/spool-writer.js';
import { emptyProcess } from '../../src/procfs/process-row.js';
import { openSnapshot, type Snapshot } from '../../src/snapshot/reader.js';
import type { RowMember } from '../../src/snapshot/members.js';
import type { Rows } from '../../src/snapshot/schema/validators.js';
import { oneTimeSigner } from '../../src/snapshot/signer.js';
import { verifySnapshot } from '../../src/snapshot/verify.js';
import { HOST, SOCKET, temporaryFolder } from '../snapshot/sample.js';
import { appendNote, END, START } from './made-spool.js';

// What a process without privileges can make long: the files it maps, who holds its sockets, its mounts.

test('rows that are too long for the format are shortened or left out, and the snapshot says so', async (t) => {
  const snapshot = await snapshotOf(t, (spool) => {
    const row = (pid: number) => ({ ...emptyProcess(pid), startTimeNs: '1', sources: ['proc' as const] });
    appendNote(spool, {
      note: 'process',
      row: { ...row(7), cmdline: ['fat'], unusualLibraries: repeated(LIBRARY, 250) },
    });
    appendNote(spool, { note: 'process', row: { ...row(8), comm: 'x'.repeat(5_000_000) } });
    appendNote(spool, { note: 'process', row: row(9) });
    appendNote(spool, { note: 'sockets', rows: [{ ...SOCKET, owners: repeated(OWNER, 260) }, SOCKET] });
  });
  const { coverage } = snapshot.manifest;
  t.deepEqual(coverage.lossesByKind, { 'snapshot.rows-too-long': 1 });
  t.deepEqual(coverage.limits, [
    'The longest lists of 2 rows were cut, because a row or document was too long for the format.',
  ]);
  const [fat, thin, ...more] = await rowsOf(snapshot, 'processes');
  t.deepEqual([fat?.pid, thin?.pid, more.length], [7, 9, 0]);
  t.deepEqual(fat?.cmdline, ['fat']);
  t.deepEqual(fat?.errors, [{ field: 'unusualLibraries', code: 'TRUNCATED' }]);
  assertCut(t, fat?.unusualLibraries?.length, 250);
  const [shared, own] = await rowsOf(snapshot, 'sockets');
  assertCut(t, shared?.owners.length, 260);
  t.deepEqual(own, SOCKET);
});

test('host.json is a document, and is cut only where it is too long for one', async (t) => {
  for (const [mounts, isCut] of [
    [600, false],
    [1700, true],
  ] as const) {
    const snapshot = await snapshotOf(t, (spool) =>
      appendNote(spool, { note: 'host', host: { ...HOST, mounts: repeated(MOUNT, mounts) } }),
    );
    const host = await snapshot.host();
    t.is((host?.mounts.length ?? 0) < mounts, isCut);
    t.deepEqual(host?.errors, isCut ? [{ field: 'mounts', code: 'TRUNCATED' }] : []);
    t.is(snapshot.manifest.coverage.limits.length, isCut ? 1 : 0);
    t.deepEqual(snapshot.manifest.coverage.lossesByKind, {});
  }
});

test('a note that is too long for a frame is left out and told, and what follows it is read', async (t) => {
  const paths = Object.fromEntries(Array.from({ length: 3200 }, (_, index) => [String(index), PATH]));
  const snapshot = await snapshotOf(t, (spool) => appendShortNote(spool, { note: 'cgroups', paths }));
  t.is(snapshot.manifest.source, 'live');
  t.regex(
    snapshot.manifest.coverage.limits.join(),
    /^What was noted as cgroups was left out: \d+ bytes are too many for the spool\.$/,
  );
});

/** Of a capture that noted this; it has to verify. */
async function snapshotOf(t: ExecutionContext, note: (spool: SpoolWriter) => void): Promise<Snapshot> {
  const folder = await temporaryFolder(t);
  const spool = new SpoolWriter(join(folder, 'x.spool'));
  appendNote(spool, START);
  note(spool);
  appendNote(spool, END);
  spool.close();
  const output = join(folder, 'x.tlsnap.tar.gz');
  const signer = oneTimeSigner();
  await compose({ spool: join(folder, 'x.spool'), output, signer, encryptTo: [], removesSpool: false });
  const verification = await verifySnapshot(output);
  t.true(verification.ok, JSON.stringify(verification.checks));
  return openSnapshot(output);
}

async function rowsOf<Name extends RowMember>(snapshot: Snapshot, member: Name) {
  const found: Rows[Name][] = [];
  for await (const rows of snapshot.rows(member)) found.push(...rows);
  return found;
}

/** A row of 4 MiB has room for some 190 paths. */
function assertCut(t: ExecutionContext, kept: number | undefined, whole: number): void {
  t.true(kept !== undefined && kept > 150 && kept < whole, `${kept} of ${whole}`);
}

function repeated<Item>(item: Item, count: number): Item[] {
  return Array<Item>(count).fill(item);
}

/** Six bytes of JSON each. */
const PATH = '\x01'.repeat(3600);
const LIBRARY = { path: PATH, deleted: true, device: '8:1', inode: '1', buildId: null, reason: 'deleted' as const };
const OWNER = { pid: 7, startTimeNs: '1', comm: 'fat', exe: PATH };
const MOUNT = {
  id: 1,
  parent: 1,
  device: '8:1',
  root: '/',
  mountPoint: PATH,
  options: 'rw',
  type: 'tmpfs',
  source: 'x',
  superOptions: 'rw',
};
