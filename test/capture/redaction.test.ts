import fc from 'fast-check';
import test from 'ava';
import { Redactor } from '../../src/capture/redaction.js';
import { TlsnapError } from '../../src/errors.js';
import { emptyProcess } from '../../src/procfs/process-row.js';
import { hostStrings } from '../../src/procfs/text.js';
import type { Process } from '../../src/snapshot/schema/process.js';

// The expected values are written down by hand, from the rule that the help gives.

const COMMANDS: readonly [pattern: string, before: readonly string[], after: readonly string[]][] = [
  ['--password *', ['mysql', '--password', 'hunter2', 'db'], ['mysql', '--password', '[redacted]', 'db']],
  ['--password=*', ['mysql', '--password=hunter2'], ['mysql', '--password=[redacted]']],
  ['--password=*', ['mysql', '--PassWord=hunter2'], ['mysql', '--PassWord=[redacted]']],
  ['-p*', ['mysql', '-phunter2', '-p'], ['mysql', '-p[redacted]', '-p']],
  ['hunter2', ['echo', 'hunter2', 'hunter23'], ['echo', '[redacted]', 'hunter23']],
  ['*token=*&*', ['curl', 'https://x/?token=abc&y=1'], ['curl', 'https://x/?token=abc&[redacted]']],
  ['*:*@*', ['psql', 'postgres://u:secret@h/db'], ['psql', 'postgres://u:secret@[redacted]']],
  ['*: bearer *', ['curl', '-H', 'Authorization: Bearer abc.def'], ['curl', '-H', 'Authorization: Bearer [redacted]']],
  ['--auth * *', ['x', '--auth', 'user', 'word', 'y'], ['x', '--auth', 'user', '[redacted]', 'y']],
];

for (const [pattern, before, after] of COMMANDS) {
  test(`${pattern} takes the secret out of: ${before.join(' ')}`, (t) => {
    const redactor = new Redactor([pattern]);
    t.deepEqual(redactor.row(rowOf(before)).cmdline, after);
    t.is(redactor.redacted, after.filter((value, index) => value !== before[index]).length);
  });
}

test("a variable's value is taken out by its name, and a border between two variables is none", (t) => {
  const redactor = new Redactor(['AWS_SECRET', '*_TOKEN=*', 'HOME *']);
  const environ = ['HOME', 'AWS_SECRET=abc', 'GH_TOKEN=x=y_TOKEN=z', 'AWS_SECRETS=1', 'aws_secret=d'];
  const { environ: after } = redactor.row({ ...emptyProcess(1), environ });
  t.deepEqual(after, [
    'HOME',
    'AWS_SECRET=[redacted]',
    'GH_TOKEN=[redacted]',
    'AWS_SECRETS=1',
    'aws_secret=[redacted]',
  ]);
  t.is(redactor.redacted, 3);
});

test('bytes that are no text are searched too, and stay as they are around a secret', (t) => {
  const bytes = Buffer.from('x\xff\0--key\0s\xfec\0\0\0', 'latin1');
  const row = rowOfBytes(bytes);
  const after = new Redactor(['--key *']).row(row);
  t.is(Buffer.from(after.cmdlineRaw ?? '', 'base64').toString('latin1'), 'x\xff\0--key\0[redacted]\0\0\0');
  const exact = new Redactor(['--key *']).row(rowOfBytes(Buffer.from('x\0--key\0s\xfec\0', 'latin1')));
  t.deepEqual(exact.cmdline, ['x', '--key', '[redacted]']);
  t.false('cmdlineRaw' in exact, 'the bytes are those of the text again');
});

test('where nothing matches, a row stays as it is, whatever it holds', (t) => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      const row = rowOfBytes(Buffer.from(bytes));
      const redactor = new Redactor(['never-in-random-bytes=*', 'nor this *']);
      t.deepEqual(redactor.row(row), row);
      t.is(redactor.redacted, 0);
    }),
  );
});

test('a value built around a secret never keeps it', (t) => {
  const plain = fc.string({ maxLength: 20, unit: fc.constantFrom('a', 'b', 'A', '=', '*', ' ', '-') });
  fc.assert(
    fc.property(plain, plain, (before, after) => {
      const row = new Redactor(['*password=*']).row(rowOf([`${before}password=hunter2${after}`]));
      t.false(JSON.stringify(row).includes('hunter2'));
    }),
  );
});

test('a pattern of many stars against a megabyte that nearly matches takes no time', (t) => {
  const redactor = new Redactor([`${'a*'.repeat(127)}b`]);
  const started = performance.now();
  t.is(redactor.row(rowOf(['a'.repeat(1_000_000)])).cmdline?.[0]?.length, 1_000_000);
  t.true(performance.now() - started < 1000);
});

test('patterns that name no secret, are too long, or are too many, are refused', (t) => {
  for (const patterns of [[''], ['*'], ['**'], ['x'.repeat(257)], ['a b c d e f g h i'], Array<string>(65).fill('x')]) {
    const error = t.throws(() => new Redactor(patterns), { instanceOf: TlsnapError });
    t.is(error.kind, 'usage');
  }
});

function rowOf(cmdline: readonly string[]): Process {
  return { ...emptyProcess(1), cmdline: [...cmdline] };
}

function rowOfBytes(bytes: Buffer): Process {
  const { values, raw } = hostStrings(bytes);
  return { ...emptyProcess(1), cmdline: values, ...(raw !== undefined && { cmdlineRaw: raw }) };
}
