import { mkdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { refuseLiveSpool, writerOf } from '../../src/capture/live-spool.js';
import { SpoolWriter } from '../../src/capture/spool-writer.js';
import { TlsnapError } from '../../src/errors.js';
import { Procfs } from '../../src/procfs/procfs.js';
import type { Host } from '../../src/snapshot/schema/host.js';
import { buildProc, statOf, type FixtureProcess } from '../procfs/fixture-proc.js';
import { HOST, temporaryFolder } from '../snapshot/sample.js';
import { appendNote, START } from './made-spool.js';

// A capture of pid 5 in pid namespace 21 looked at its host two seconds after boot; the process began one second after.

const BOOT = 'f1a4d2b0-0d5e-4c2f-8a47-000000000001';
const WROTE: Host = {
  ...HOST,
  bootId: BOOT,
  uptimeNs: '2000000000',
  self: { ...HOST.self, pid: 5, namespaces: { ...HOST.self.namespaces, pid: 21 } },
};
const WRITER = { pid: 5, files: { stat: statOf({ pid: 5, ticks: '100' }) } };

test('the process that looked at the host is found while it runs', async (t) => {
  t.is(writerOf(WROTE, await procfs(t, [WRITER])), 5);
  t.is(writerOf(WROTE, await procfs(t, [])), null, 'gone');
});

test('who got its pid later is another, and one that has ended waits for its parent only', async (t) => {
  const later = { pid: 5, files: { stat: statOf({ pid: 5, ticks: '201' }) } };
  t.is(writerOf(WROTE, await procfs(t, [later])), null);
  const zombie = { pid: 5, files: { stat: statOf({ pid: 5, ticks: '100', state: 'Z' }) } };
  t.is(writerOf(WROTE, await procfs(t, [zombie])), null);
});

test('no process of another boot is it, nor any where nothing is known', async (t) => {
  const made = await procfs(t, [WRITER]);
  t.is(writerOf({ ...WROTE, bootId: BOOT.replace('1', '2') }, made), null);
  t.is(writerOf({ ...WROTE, bootId: null }, made), null);
  t.is(writerOf({ ...WROTE, uptimeNs: null }, made), null);
  t.is(writerOf(HOST, made), null);
  t.is(writerOf(WROTE, new Procfs(await temporaryFolder(t))), null, 'no /proc at all');
});

test('from outside of its pid namespace it is found under the pid it has there', async (t) => {
  const inside = (pid: number, namespace: number, inner: number) => ({
    pid,
    files: { stat: statOf({ pid, ticks: '100' }), status: `Name:\tnode\nNSpid:\t${pid}\t${inner}\n` },
    links: { 'ns/pid': `pid:[${namespace}]` },
  });
  const others = [WRITER, inside(70, 22, 5), inside(71, 21, 6)];
  t.is(writerOf(WROTE, await procfs(t, others, 20)), null);
  t.is(writerOf(WROTE, await procfs(t, [...others, inside(72, 21, 5)], 20)), 72);
});

test('the spool of a capture that runs is refused, with its pid and the cure', async (t) => {
  const spool = join(await temporaryFolder(t), 'x.spool');
  const writer = new SpoolWriter(spool);
  appendNote(writer, { ...START, host: WROTE });
  writer.close();
  const [running, ended] = [await procfs(t, [WRITER]), await procfs(t, [])];
  const error = t.throws(() => refuseLiveSpool(spool, running), { instanceOf: TlsnapError });
  t.is(error.kind, 'input');
  t.is(error.message, `${spool}: is still written to: its capture runs, as process 5`);
  t.regex(error.suggestions.join(), /kill -INT 5$/);
  t.notThrows(() => refuseLiveSpool(spool, ended));
});

/** A /proc of this boot, read from within a pid namespace. */
async function procfs(t: ExecutionContext, processes: FixtureProcess[], namespace = 21): Promise<Procfs> {
  const root = await temporaryFolder(t);
  buildProc(root, processes, { 'sys/kernel/random/boot_id': `${BOOT}\n` });
  mkdirSync(join(root, 'self/ns'), { recursive: true });
  symlinkSync(`pid:[${namespace}]`, join(root, 'self/ns/pid'));
  return new Procfs(root);
}
