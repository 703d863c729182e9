import { execa } from 'execa';
import test from 'ava';
import { exitText } from '../../src/snapshot/exit-text.js';

// Statuses are what the kernel gives waitpid(2), by way of Python; what they mean is what its own macros say.
test('how a process ended is told as wait(2) gives it: its code, or the signal that ended it', async (t) => {
  for (const [how, expected] of [
    ['os._exit(0)', 'code 0'],
    ['os._exit(1)', 'code 1'],
    ['os._exit(255)', 'code 255'],
    ['os.kill(os.getpid(), 9)', 'signal 9'],
    ['os.kill(os.getpid(), 6)', 'signal 6'],
  ] as const) {
    const script = [
      'import os',
      'pid = os.fork()',
      `if pid == 0: ${how}`,
      'status = os.waitpid(pid, 0)[1]',
      "print(status, f'code {os.WEXITSTATUS(status)}' if os.WIFEXITED(status) else f'signal {os.WTERMSIG(status)}')",
    ].join('\n');
    const [status = '', ...meaning] = (await execa('python3', ['-c', script])).stdout.split(' ');
    t.is(meaning.join(' '), expected);
    t.is(exitText(Number(status)), expected);
  }
  // A core was dumped: WCOREFLAG is another bit than the signal's.
  t.is(exitText(0x8b), 'signal 11');
});
