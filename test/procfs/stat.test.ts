import test from 'ava';
import fc from 'fast-check';
import { parseStat } from '../../src/procfs/stat.js';
import { statOf } from './fixture-proc.js';

test('a name may hold anything that a process can put there', (t) => {
  for (const comm of ['x', ') R 1 (', 'a b', 'new\nline', '((', '))', '']) {
    const stat = parseStat(Buffer.from(statOf({ pid: 7, comm, ppid: 3, ticks: '123456789012' })));
    t.is(stat?.comm.toString(), comm);
    t.like(stat, { pid: 7, state: 'S', ppid: 3, startTimeTicks: 123456789012n, kernelThread: false });
  }
});

// PF_KTHREAD, from the kernel's <linux/sched.h>.
test('a kernel thread is told by its flag', (t) => {
  t.true(parseStat(Buffer.from(statOf({ flags: 0x00200040 })))?.kernelThread);
});

test('any name of any bytes comes out as it went in', (t) => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 64 }), (name) => {
      const [head = '', tail = ''] = statOf({ comm: '|' }).split('|');
      const stat = parseStat(Buffer.concat([Buffer.from(head), name, Buffer.from(tail)]));
      t.deepEqual(stat?.comm, Buffer.from(name));
    }),
  );
});

test('what is not of the form is null, never an exception', (t) => {
  t.is(parseStat(Buffer.alloc(0)), null);
  t.is(parseStat(Buffer.from('1 (x) S 1 2')), null);
  t.is(parseStat(Buffer.from(')1 (')), null);
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 256 }), (input) => {
      parseStat(Buffer.from(input));
      return true;
    }),
  );
});

test('every truncation is null or complete', (t) => {
  const whole = Buffer.from(statOf({ comm: 'a) (b', ticks: '7' }));
  for (let length = 0; length < whole.length - 70; length++) t.is(parseStat(whole.subarray(0, length)), null);
});
