import test from 'ava';
import { findSplats } from '../../scripts/kernels/splats.js';

// The splats are lines as Linux prints them (lib/bug.c, kernel/panic.c, arch/x86/kernel/dumpstack.c, mm/kasan).

test('warnings, bugs, oopses, stalls and panics are found', (t) => {
  const lines = [
    '[    3.1] WARNING: CPU: 0 PID: 1 at net/core/sock.c:1 sock_map+0x1/0x2',
    '[    3.1] WARNING: possible recursive locking detected',
    '[    3.1] WARNING: suspicious RCU usage',
    '[    3.1] BUG: kernel NULL pointer dereference, address: 0000000000000000',
    '[    3.1] kernel BUG at mm/slub.c:1!',
    '[    3.1] Oops: 0000 [#1] SMP NOPTI',
    '[    3.1] general protection fault, probably for non-canonical address',
    '[    3.1] watchdog: BUG: soft lockup - CPU#0 stuck for 22s!',
    '[    3.1] rcu: INFO: rcu_sched self-detected stall on CPU',
    '[    3.1] INFO: task node:1 blocked for more than 120 seconds.',
    '[    3.1] refcount_t: underflow; use-after-free.',
    '[    3.1] Kernel panic - not syncing: Attempted to kill init!',
  ];
  for (const line of lines) t.is(findSplats(line).length, 1, line);
});

test('what a healthy emulated boot says is no splat', (t) => {
  const lines = [
    '[    0.0] tsc: Unable to calibrate against PIT',
    '[    0.0] Kernel command line: console=ttyS0 panic=-1 loglevel=5',
    '[    0.9] acpi PNP0A03:00: fail to add MMCONFIG information',
    '[    0.1] Spectre V2 : WARNING: Unprivileged eBPF is enabled with eIBRS on',
    '[    1.0] Warning: unable to open an initial console.',
    '[    0.0] Lockdown: swapper/0: hibernation is restricted; see man kernel_lockdown.7',
  ];
  t.deepEqual(findSplats(lines.join('\r\n')), []);
});

test('a splat comes with the lines behind it', (t) => {
  t.deepEqual(findSplats('a\nBUG: x\nb\nc\nd', 3), ['BUG: x\nb\nc']);
});
