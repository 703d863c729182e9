import test from 'ava';
import fc from 'fast-check';
import { allPaths, parseCgroup, primaryPath } from '../../src/procfs/cgroup.js';
import { containerOf, systemdUnitsOf } from '../../src/procfs/container.js';

const ID = '0123456789abcdef'.repeat(4);
const POD = '5f4dcc3b-5aa7-65d6-1d83-27deb882cf99';

// The forms that each runtime's documentation and source give to its cgroups.
const FORMS: [title: string, path: string, id: string | null, runtime: string | null, podUid: string | null][] = [
  ['Docker, cgroupfs driver', `/docker/${ID}`, ID, 'docker', null],
  ['Docker, systemd driver', `/system.slice/docker-${ID}.scope`, ID, 'docker', null],
  [
    'rootless Docker',
    `/user.slice/user-1000.slice/user@1000.service/user.slice/docker-${ID}.scope`,
    ID,
    'docker',
    null,
  ],
  ['Docker, a cgroup of its own inside', `/system.slice/docker-${ID}.scope/init`, ID, 'docker', null],
  [
    'containerd CRI, systemd driver',
    `/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod${POD.replaceAll('-', '_')}.slice/cri-containerd-${ID}.scope`,
    ID,
    'containerd',
    POD,
  ],
  ['Kubernetes, cgroupfs driver', `/kubepods/besteffort/pod${POD}/${ID}`, ID, null, POD],
  [
    'containerd given a systemd path without the driver',
    `/system.slice/containerd.service/kubepods-burstable-pod${POD.replaceAll('-', '_')}.slice:cri-containerd:${ID}`,
    ID,
    'containerd',
    POD,
  ],
  ['nerdctl', `/default/${ID}`, ID, 'containerd', null],
  ['CRI-O', `/kubepods.slice/kubepods-pod${POD.replaceAll('-', '_')}.slice/crio-${ID}.scope`, ID, 'cri-o', POD],
  ["CRI-O's monitor", `/kubepods.slice/crio-conmon-${ID}.scope`, null, null, null],
  ['Podman', `/machine.slice/libpod-${ID}.scope/container`, ID, 'podman', null],
  ['Podman in a unit', `/system.slice/web.service/libpod-payload-${ID}`, ID, 'podman', null],
  ['Podman, cgroupfs manager', `/libpod_parent/libpod-${ID}`, ID, 'podman', null],
  ["Podman's monitor", `/machine.slice/libpod-conmon-${ID}.scope`, null, null, null],
  ['LXC 4', '/lxc.payload.web', 'web', 'lxc', null],
  ['LXC 3', '/lxc/web/system.slice/ssh.service', 'web', 'lxc', null],
  ["LXC's monitor", '/lxc.monitor.web', null, null, null],
  ['systemd-nspawn as a service', '/machine.slice/systemd-nspawn@db.service/payload', 'db', 'systemd-nspawn', null],
  ['systemd-nspawn by hand', '/machine.slice/machine-my\\x2ddb.scope', 'my-db', 'systemd-nspawn', null],
  ["libvirt's virtual machine", '/machine.slice/machine-qemu\\x2d1\\x2dweb.scope', null, null, null],
  ['a service', '/system.slice/ssh.service', null, null, null],
  ['the root', '/', null, null, null],
];

for (const [title, path, id, runtime, podUid] of FORMS) {
  test(`${title}: ${id === null ? 'no container' : 'id and runtime are found'}`, (t) => {
    t.deepEqual(containerOf([path]), id === null ? null : ({ id, runtime, podUid } as never));
  });
}

test('of nested containers it is the innermost', (t) => {
  const inner = 'f'.repeat(64);
  t.like(containerOf([`/docker/${ID}/docker/${inner}`]), { id: inner, runtime: 'docker' });
});

test('on a hybrid host a v1 hierarchy can be the one that knows', (t) => {
  const membership = parseCgroup(`12:memory:/docker/${ID}\n1:name=systemd:/docker/${ID}\n0::/\n`);
  t.is(primaryPath(membership), `/docker/${ID}`);
  t.like(containerOf(allPaths(membership)), { id: ID, runtime: 'docker' });
});

test('a v2 path counts before any v1 path', (t) => {
  const membership = parseCgroup('2:cpu,cpuacct:/other\n0::/system.slice/ssh.service\n');
  t.is(primaryPath(membership), '/system.slice/ssh.service');
  t.deepEqual(membership.v1, [{ controllers: 'cpu,cpuacct', path: '/other' }]);
});

test('a path with colons is whole, and a malformed line is left out', (t) => {
  t.deepEqual(parseCgroup('0::/a:b:c\nnonsense\n3:cpu\n'), { v2: '/a:b:c', v1: [] });
});

// systemd.unit(5) and systemd's own cg_path_get_unit.
test('units are read by the rules of systemd', (t) => {
  const unit = (path: string) => Object.values(systemdUnitsOf(path));
  t.deepEqual(unit('/system.slice/ssh.service'), ['ssh.service', null]);
  t.deepEqual(unit('/system.slice/system-getty.slice/getty@tty1.service'), ['getty@tty1.service', null]);
  t.deepEqual(unit('/user.slice/user-1000.slice/session-2.scope'), ['session-2.scope', null]);
  t.deepEqual(unit('/user.slice/user-1000.slice/user@1000.service/app.slice/firefox.service'), [
    'user@1000.service',
    'firefox.service',
  ]);
  t.deepEqual(unit('/init.scope'), ['init.scope', null]);
  t.deepEqual(unit('/'), [null, null]);
  t.deepEqual(unit(`/docker/${ID}`), [null, null]);
});

test('no text is an exception', (t) => {
  const piece = fc.constantFrom(
    '/',
    ':',
    '0',
    'docker',
    ID,
    'lxc',
    '.scope',
    'machine-',
    '\\x2d',
    '\n',
    'pod',
    POD,
    'x',
  );
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        fc.array(piece).map((pieces) => pieces.join('')),
      ),
      (text) => {
        containerOf(allPaths(parseCgroup(text)));
        containerOf([text]);
        systemdUnitsOf(text);
        return true;
      },
    ),
  );
  t.pass();
});
