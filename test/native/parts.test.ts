import { join } from 'node:path';
import type { ExecutionContext } from 'ava';
import { execa } from 'execa';
import { isNativeError, loadAddon, type NativeSession } from '../../src/native/addon.js';
import { reasonAgainstCommands, reasonAgainstLiveTests, testUnless } from '../left-out.js';
import { temporaryFolder } from '../snapshot/sample.js';

// Programs that several threads load. What the verifier must say of the bad one is in the kernel's sources:
// kernel/bpf/verifier.c, verbose_invalid_scalar() ("At program exit the register R0 ...", and since 6.8 "smin=").

const reason = reasonAgainstLiveTests() ?? reasonAgainstCommands('clang');

testUnless(reason, 'programs in parts share every map, and each is loaded once', async (t) => {
  const session = open(await object(t), [['good'], ['fine']]);
  t.teardown(() => session.close());
  t.deepEqual(
    session.programs().map(({ name }) => name),
    ['good', 'fine'],
  );
  const maps = session.maps().map(({ id }) => id);
  t.is(maps.length, 2);
  for (const { id } of session.programs()) {
    const { stdout } = await execa('bpftool', ['--json', 'prog', 'show', 'id', String(id)]);
    t.deepEqual((JSON.parse(stdout) as { map_ids: number[] }).map_ids.sort(), maps.sort());
  }
});

for (const parts of [[['good', 'bad']], [['good'], ['bad']], [['bad'], ['good']], [['good'], ['bad'], ['fine']]]) {
  testUnless(reason, `a refused program is told with the verifier's words: ${JSON.stringify(parts)}`, async (t) => {
    const path = await object(t);
    const before = ids();
    const error = t.throws(() => open(path, parts));
    t.true(isNativeError(error));
    t.like(error, { code: 'EINVAL', syscall: 'load the BPF programs' });
    t.regex((error as unknown as { log: string }).log, /prog 'bad'[^]*R0/);
    t.notRegex((error as unknown as { log: string }).log, /prog 'good'/);
    t.deepEqual(ids(), before);
  });
}

function open(objectPath: string, parts: string[][]): NativeSession {
  const options = { objectPath, btfPath: '', ringBytes: 0, tunables: { answer: 1 }, mapEntries: {} };
  return new (loadAddon().Session)({ ...options, programs: parts.flat(), parts });
}

function ids(): number[] {
  return loadAddon()
    .loadedPrograms()
    .filter(({ name }) => ['good', 'fine', 'bad'].includes(name))
    .map(({ id }) => id);
}

async function object(t: ExecutionContext): Promise<string> {
  const output = join(await temporaryFolder(t), 'parts.bpf.o');
  const include = ['-I', `/usr/include/${process.arch === 'arm64' ? 'aarch64' : 'x86_64'}-linux-gnu`];
  const flags = ['-target', 'bpf', '-O2', '-g', ...include, '-x', 'c', '-', '-c', '-o', output];
  await execa('clang', flags, { input: SOURCE });
  return output;
}

const SOURCE = `
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
const volatile int answer = 0;
struct { __uint(type, BPF_MAP_TYPE_RINGBUF); __uint(max_entries, 4096); } ring SEC(".maps");
static int query(void) { return bpf_ringbuf_query(&ring, BPF_RB_AVAIL_DATA) == 0 && answer; }
SEC("cgroup_skb/egress") int good(struct __sk_buff *skb) { return query(); }
SEC("cgroup_skb/ingress") int fine(struct __sk_buff *skb) { return query(); }
SEC("cgroup_skb/ingress") int bad(struct __sk_buff *skb) { return query() ? 9 : 1; }
char LICENSE[] SEC("license") = "Dual BSD/GPL";
`;
