import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'ava';
import { execa } from 'execa';
import fc from 'fast-check';
import { TlsnapError } from '../../src/errors.js';
import { findSigner, matchesPatternList, parseAllowedSigners } from '../../src/snapshot/allowed-signers.js';
import { oneTimeSigner } from '../../src/snapshot/signer.js';
import { publicKeyLine } from '../../src/snapshot/ssh-key.js';
import { signSshsig } from '../../src/snapshot/sshsig.js';
import { reasonAgainstCommands, testUnless } from '../left-out.js';
import { temporaryFolder } from './sample.js';

const signer = oneTimeSigner();
const KEY = publicKeyLine(signer.publicKey);
const OTHER = publicKeyLine(oneTimeSigner().publicKey);
const NOW = new Date('2026-11-22T09:20:08Z');

/** Lines, and whether ssh-keygen -Y find-principals is to name somebody by them. */
const LINES: readonly [line: string, namesSomebody: boolean][] = [
  [`alice ${KEY}`, true],
  [`alice@example.org,*@team.example.org ${KEY} a comment with spaces`, true],
  [`"quoted principal" ${KEY}`, true],
  [`   alice\t${KEY}`, true],
  [`alice ${OTHER}`, false],
  [`# a comment\n\n alice ${KEY}`, true],
  [`alice namespaces="tlsnap" ${KEY}`, true],
  [`alice namespaces="git,tl*" ${KEY}`, true],
  [`alice NAMESPACES="tlsnap,file" ${KEY}`, true],
  [`alice namespaces="tlsnap",valid-after="20200101Z" ${KEY}`, true],
  [`alice valid-after="20200101",valid-before="20350101120000Z" ${KEY}`, true],
  [`alice valid-before="20200101Z" ${KEY}`, false],
  [`alice valid-after="20350101Z" ${KEY}`, false],
  [`alice valid-before="203501011200Z" ${KEY}`, true],
  [`alice cert-authority ${KEY}`, false],
  [`alice ${OTHER}\nbob ${KEY}`, true],
];

for (const [lines, names] of LINES) {
  testUnless(
    reasonAgainstCommands('ssh-keygen'),
    `names ${names ? 'the same as' : 'nobody, as'} ssh-keygen for ${JSON.stringify(lines.replaceAll(KEY, 'KEY').replaceAll(OTHER, 'OTHER'))}`,
    async (t) => {
      const folder = await temporaryFolder(t);
      const [signature, file] = [join(folder, 'sig'), join(folder, 'allowed')];
      await writeFile(signature, await signSshsig(signer, Buffer.from('message'), 'tlsnap'));
      await writeFile(file, `${lines}\n`);
      const { stdout } = await execa(
        'ssh-keygen',
        ['-Y', 'find-principals', '-f', file, '-s', signature, '-Overify-time=20261122092008Z'],
        { reject: false },
      );

      const { principals } = findSigner(parseAllowedSigners(`${lines}\n`, file), signer.publicKey, 'tlsnap', NOW);

      t.is(stdout !== '', names);
      t.is(principals.join('\n'), stdout);
    },
  );
}

/** Lists of principals, and those that ssh-keygen -Y verify -I is to accept of some. */
const PRINCIPALS: readonly [list: string, accepted: readonly string[]][] = [
  ['!resp1', []],
  ['!*', []],
  ['alice,!alice', []],
  ['alice,bob,!bob', ['alice']],
  ['!resp1,*', ['alice', 'bob', 'resp2', 'a', 'b@x', 'bb@x']],
  ['*,!*', []],
  ['?*,!*', []],
  ['*,!?*', []],
  ['a*,!a?*', ['a']],
  ['resp?,!resp1', ['resp2']],
  ['?,!?', []],
  ['*@x,!*@x', []],
  ['*@x,!?@x', ['bb@x']],
];

for (const [list, accepted] of PRINCIPALS) {
  testUnless(
    reasonAgainstCommands('ssh-keygen'),
    `the principals ${list} are ${accepted.length > 0 ? 'somebody' : 'nobody'}, as for ssh-keygen`,
    async (t) => {
      const folder = await temporaryFolder(t);
      const [signature, file] = [join(folder, 'sig'), join(folder, 'allowed')];
      await writeFile(signature, await signSshsig(signer, Buffer.from('message'), 'tlsnap'));
      await writeFile(file, `${list} ${KEY}\n`);
      const good: string[] = [];
      for (const identity of ['alice', 'bob', 'resp1', 'resp2', 'a', 'b@x', 'bb@x']) {
        const { exitCode } = await execa(
          'ssh-keygen',
          ['-Y', 'verify', '-n', 'tlsnap', '-f', file, '-I', identity, '-s', signature],
          { input: 'message', reject: false },
        );
        if (exitCode === 0) good.push(identity);
      }
      t.deepEqual(good, accepted);

      const { principals, refusals } = findSigner(
        parseAllowedSigners(`${list} ${KEY}\n`, file),
        signer.publicKey,
        'tlsnap',
        NOW,
      );

      t.deepEqual(principals, accepted.length > 0 ? list.split(',') : []);
      t.deepEqual(refusals, accepted.length > 0 ? [] : ['line 1: its principals are nobody']);
    },
  );
}

test('a key listed for another namespace is refused, with the line', (t) => {
  const allowed = parseAllowedSigners(`alice namespaces="git,!tlsnap,*" ${KEY}`, 'file');
  const { principals, refusals } = findSigner(allowed, signer.publicKey, 'tlsnap', NOW);
  t.deepEqual(principals, []);
  t.regex(refusals[0] ?? '', /^line 1: the key may not sign in namespace tlsnap/);
});

test('lines that cannot be used are named, and the others count', (t) => {
  const sk = 'sk-ssh-ed25519@openssh.com AAAAGnNrLXNzaC1lZDI1NTE5QG9wZW5zc2guY29tAAAAIA==';
  const allowed = parseAllowedSigners(`ca cert-authority ${OTHER}\nkey ${sk}\nalice ${KEY}`, 'file');
  t.deepEqual(
    allowed.unused.map(({ line }) => line),
    [1, 2],
  );
  t.deepEqual(findSigner(allowed, signer.publicKey, 'tlsnap', NOW).principals, ['alice']);
});

for (const line of [
  'alice',
  'alice ssh-ed25519',
  'alice ssh-ed25519 AAAA',
  `alice unknown-option ${KEY}`,
  `alice namespaces="a",namespaces="b" ${KEY}`,
  `alice valid-after="2026" ${KEY}`,
  `alice valid-after="20261301" ${KEY}`,
  `alice valid-after="20270101Z",valid-before="20260101Z" ${KEY}`,
  `alice namespaces="open ${KEY}`,
  `alice ${KEY.replace('ssh-ed25519', 'ssh-rsa')}`,
]) {
  test(`is refused with its line: ${line.replace(KEY, 'KEY')}`, (t) => {
    const error = t.throws(() => parseAllowedSigners(`# first\n${line}\n`, 'file'), { instanceOf: TlsnapError });
    t.is(error.kind, 'input');
    t.is(error.subject, 'file line 2');
  });
}

test('any text is either read or refused as an input error', (t) => {
  const word = fc.oneof(
    fc.string(),
    fc.constantFrom(KEY, '"', '\\"', ',', '=', 'namespaces=', 'cert-authority', ' ', '\n', 'valid-after="2026'),
  );
  fc.assert(
    fc.property(fc.array(word, { maxLength: 20 }), (words) => {
      try {
        parseAllowedSigners(words.join(''), 'file');
      } catch (error) {
        t.true(error instanceof TlsnapError && error.kind === 'input', String(error));
      }
    }),
    { numRuns: 1000 },
  );
});

test('patterns match as a regular expression made of them would', (t) => {
  const letters = fc.stringMatching(/^[ab]{0,8}$/);
  fc.assert(
    fc.property(letters, fc.stringMatching(/^[ab*?]{0,6}$/), (text, pattern) => {
      const expected = new RegExp(`^${pattern.replaceAll('*', '.*').replaceAll('?', '.')}$`);
      t.is(matchesPatternList(text, pattern), expected.test(text));
    }),
    { numRuns: 2000 },
  );
});
