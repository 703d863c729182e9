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

const CUT: readonly [pattern: string, before: string, after: string][] = [
  ['db://app:*@db/prod', 'psql\0db://app:hunter2@d', 'psql\0db://app:[redacted]'],
  ['db://app:*@db/prod', 'psql\0DB://app:h', 'psql\0DB://app:[redacted]'],
  ['db://app:*@db/prod', 'psql\0db://app:', 'psql\0db://app:'],
  ['db://app:*@db/prod', 'psql\0db://ap', 'psql\0db://ap'],
  ['db://app:*@db/prod', 'db://app:x\0y', 'db://app:x\0y'],
  ['hunter2', 'echo\0hunt', 'echo\0[redacted]'],
  ['hunter2', 'hunt\0echo', 'hunt\0echo'],
  ['hunter2', 'echo\0', 'echo\0'],
  ['--key * --end', 'x\0--key\0hunt', 'x\0--key\0[redacted]'],
  ['--key * --end', 'x\0--key\0hunter2\0', 'x\0--key\0[redacted]\0'],
  ['--key * --end', 'x\0--key\0hunter2\0--e', 'x\0--key\0[redacted]\0[redacted]'],
  ['--key * --end', '--key\0a\0b\0c', '--key\0a\0b\0c'],
  ['u:*@*/x', 'u:name@hunter2', 'u:name@[redacted]'],
  ['u:*@*/x', 'u:name', 'u:name'],
];

for (const [pattern, before, after] of CUT) {
  test(`${pattern} takes out what may be the beginning of a secret before a cut: ${before.replaceAll('\0', ' ')}`, (t) => {
    const row = rowOfBytes(Buffer.from(before));
    const errors = [{ field: 'cmdline', code: 'TRUNCATED' }];
    t.deepEqual(new Redactor([pattern]).row({ ...row, errors }), { ...rowOfBytes(Buffer.from(after)), errors });
    const others = [
      { field: 'environ', code: 'TRUNCATED' },
      { field: 'cmdline', code: 'TIMEOUT' },
    ];
    t.deepEqual(new Redactor([pattern]).row({ ...row, errors: others }).cmdline, row.cmdline, 'not of a whole one');
  });
}

test('of an environment that was cut off the last variable is taken for the beginning of a match', (t) => {
  const errors = [{ field: 'environ', code: 'TRUNCATED' }];
  const environ = ['LD_AUDIT=hunter2', 'LD_PRELOAD=hunter2'];
  const redactor = new Redactor(['LD_*=*.so']);
  const { values, raw } = hostStrings(Buffer.from(environ.join('\0')));
  const after = redactor.row({
    ...emptyProcess(1),
    environ: values,
    environRaw: raw ?? '',
    loaderEnvironment: values,
    errors,
  });
  t.deepEqual(after.environ, ['LD_AUDIT=hunter2', 'LD_PRELOAD=[redacted]']);
  t.deepEqual(after.loaderEnvironment, ['LD_AUDIT=hunter2', 'LD_PRELOAD=[redacted]']);
  t.is(redactor.redacted, 1);
  const notLast = redactor.row({
    ...emptyProcess(1),
    environ: [...environ, 'X=1'],
    loaderEnvironment: environ,
    errors,
  });
  t.deepEqual(notLast.loaderEnvironment, environ);
  t.deepEqual(redactor.row({ ...emptyProcess(1), loaderEnvironment: environ }).loaderEnvironment, environ);
  const alone = redactor.row({ ...emptyProcess(1), loaderEnvironment: environ, errors });
  t.deepEqual(alone.loaderEnvironment, ['LD_AUDIT=hunter2', 'LD_PRELOAD=[redacted]']);
});

test('whatever cuts off an argument with a secret leaves nothing of the secret', (t) => {
  const whole = Buffer.from('curl\0--proxy\0db://app:0123456789@db/prod');
  for (let length = 0; length <= whole.length; length++) {
    const errors = [{ field: 'cmdline', code: 'TRUNCATED' }];
    const row = new Redactor(['db://app:*@db/prod']).row({ ...rowOfBytes(whole.subarray(0, length)), errors });
    t.notRegex(`${row.cmdline?.join(' ')} ${Buffer.from(row.cmdlineRaw ?? '', 'base64').toString()}`, /\d/);
  }
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

test('a pattern of many stars against a megabyte that nearly matches comes to an end', (t) => {
  const redactor = new Redactor([`${'a*'.repeat(127)}b`]);
  t.is(redactor.row(rowOf(['a'.repeat(1_000_000)])).cmdline?.[0]?.length, 1_000_000);
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
