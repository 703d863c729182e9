import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'ava';
import { execa } from 'execa';
import fc from 'fast-check';
import { TlsnapError } from '../../src/errors.js';
import { oneTimeSigner, openSigner, type Signer } from '../../src/snapshot/signer.js';
import { fingerprintOf, parsePublicKey, publicKeyLine, verifySignature } from '../../src/snapshot/ssh-key.js';
import { parseSshsig, signSshsig, verifySshsig } from '../../src/snapshot/sshsig.js';
import { reasonAgainstCommands, testUnless } from '../left-out.js';
import { temporaryFolder } from './sample.js';

const noKeygen = reasonAgainstCommands('ssh-keygen');
const noAgent = reasonAgainstCommands('ssh-keygen', 'ssh-agent', 'ssh-add');
const nobody = () => Promise.resolve(undefined);

const KEYS: readonly [type: string, bits: string][] = [
  ['ed25519', '256'],
  ['ecdsa', '256'],
  ['ecdsa', '384'],
  ['ecdsa', '521'],
  ['rsa', '3072'],
];

for (const [type, bits] of KEYS) {
  testUnless(noKeygen, `ssh-keygen -Y verify accepts what an ${type} key of ${bits} bits signs here`, async (t) => {
    const folder = await temporaryFolder(t);
    const signer = await openSigner(await makeKey(folder, type, bits), nobody);
    // Several, as an ECDSA number has a leading zero only now and then.
    for (let round = 0; round < 8; round += 1) {
      const message = `message ${round}`;
      t.regex(await keygenVerifies(folder, signer, message, 'tlsnap'), /^Good "tlsnap" signature for alice/);
    }
  });

  testUnless(
    noKeygen,
    `what ssh-keygen -Y sign makes with an ${type} key of ${bits} bits is verified here`,
    async (t) => {
      const folder = await temporaryFolder(t);
      const key = await makeKey(folder, type, bits);
      for (const hash of ['sha512', 'sha256'] as const) {
        const options = ['-Y', 'sign', '-f', key, '-n', 'tlsnap', '-O', `hashalg=${hash}`];
        // ssh-keygen writes an armor without Ed25519's sizes in mind: the same 70 columns for all.
        const { stdout } = await execa('ssh-keygen', options, { input: 'the message', stripFinalNewline: false });
        const sshsig = parseSshsig(stdout);
        t.is(sshsig.hash, hash);
        t.true(verifySshsig(sshsig, Buffer.from('the message'), 'tlsnap'));
        t.false(verifySshsig(sshsig, Buffer.from('the Message'), 'tlsnap'));
        t.false(verifySshsig(sshsig, Buffer.from('the message'), 'file'));
      }
    },
  );

  testUnless(noKeygen, `the fingerprint of an ${type} key of ${bits} bits is that of ssh-keygen -l`, async (t) => {
    const key = await makeKey(await temporaryFolder(t), type, bits);
    const { stdout } = await execa('ssh-keygen', ['-l', '-f', key]);
    const { publicKey } = await openSigner(key, nobody);
    t.is(stdout.split(' ')[1], fingerprintOf(publicKey));
    t.true((await readFile(`${key}.pub`, 'utf8')).startsWith(`${publicKeyLine(publicKey)} `));
  });
}

testUnless(noKeygen, 'ssh-keygen -Y verify accepts what a one-time key signs', async (t) => {
  const folder = await temporaryFolder(t);
  t.regex(await keygenVerifies(folder, oneTimeSigner(), 'message', 'tlsnap'), /^Good "tlsnap" signature for alice/);
});

testUnless(noKeygen, 'an encrypted key opens with the passphrase asked for, and not without', async (t) => {
  const key = await makeKey(await temporaryFolder(t), 'ed25519', '256', 'pass phrase');
  const signer = await openSigner(key, () => Promise.resolve('pass phrase'));
  t.is(signer.source, 'file');
  t.is(signer.comment, 'a comment');
  await t.throwsAsync(
    openSigner(key, () => Promise.resolve('wrong')),
    { message: /does not open it/ },
  );
  const error = await t.throwsAsync(openSigner(key, nobody), { instanceOf: TlsnapError, message: /no terminal/ });
  t.is(error.kind, 'usage');
});

testUnless(noKeygen, 'a public key, another file and no file are told apart', async (t) => {
  const folder = await temporaryFolder(t);
  const key = await makeKey(folder, 'ed25519', '256');
  await writeFile(join(folder, 'text'), 'no key');
  await t.throwsAsync(openSigner(`${key}.pub`, nobody), { message: /holds a public key/ });
  await t.throwsAsync(openSigner(join(folder, 'text'), nobody), { message: /not an OpenSSH private key/ });
  const missing = await t.throwsAsync(openSigner(join(folder, 'none'), nobody), { instanceOf: TlsnapError });
  t.is(missing.kind, 'io');
});

testUnless(noAgent, 'an agent signs with its Ed25519 key though others come first', async (t) => {
  const folder = await temporaryFolder(t);
  const socket = join(folder, 'agent');
  const agent = execa('ssh-agent', ['-D', '-a', socket], { reject: false });
  t.teardown(() => agent.kill());
  const env = { SSH_AUTH_SOCK: socket };
  const [rsa, ed25519] = [await makeKey(folder, 'rsa', '3072'), await makeKey(folder, 'ed25519', '256')];
  await untilThere(() => execa('ssh-add', ['-q', rsa], { env }));
  process.env['SSH_AUTH_SOCK'] = socket;
  t.teardown(() => delete process.env['SSH_AUTH_SOCK']);

  const byRsa = await openSigner('agent', nobody);
  t.true((await readFile(`${rsa}.pub`, 'utf8')).startsWith(publicKeyLine(byRsa.publicKey)));
  t.regex(await keygenVerifies(folder, byRsa, 'message', 'tlsnap'), /^Good/);

  await execa('ssh-add', ['-q', ed25519], { env });
  const signer = await openSigner('agent', nobody);
  t.is(signer.source, 'agent');
  t.true((await readFile(`${ed25519}.pub`, 'utf8')).startsWith(publicKeyLine(signer.publicKey)));
  t.regex(await keygenVerifies(folder, signer, 'message', 'tlsnap'), /^Good/);

  await execa('ssh-add', ['-q', '-D'], { env });
  const empty = await t.throwsAsync(openSigner('agent', nobody), { instanceOf: TlsnapError, message: /holds 0 keys/ });
  t.is(empty.kind, 'unavailable');
});

test.serial('without SSH_AUTH_SOCK, and with nobody behind it, agent is unavailable', async (t) => {
  const before = process.env['SSH_AUTH_SOCK'];
  delete process.env['SSH_AUTH_SOCK'];
  t.teardown(() => before !== undefined && (process.env['SSH_AUTH_SOCK'] = before));
  await t.throwsAsync(openSigner('agent', nobody), { message: /SSH_AUTH_SOCK is not set/ });
  process.env['SSH_AUTH_SOCK'] = join(await temporaryFolder(t), 'nobody');
  await t.throwsAsync(openSigner('agent', nobody), { message: /does not sign/ });
  delete process.env['SSH_AUTH_SOCK'];
});

test('one changed character of an armored signature is noticed, wherever it is', async (t) => {
  const message = Buffer.from('message');
  const armored = await signSshsig(oneTimeSigner(), message, 'tlsnap');
  for (let at = 0; at < armored.length; at += 1) {
    const other = armored[at] === 'A' ? 'B' : 'A';
    t.false(accepts(armored.slice(0, at) + other + armored.slice(at + 1), message), `at ${at}`);
    t.false(accepts(armored.slice(0, at) + armored.slice(at + 1), message), `without ${at}`);
  }
});

test('any bytes instead of a signature or key are refused with a RangeError, never with another error', (t) => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), fc.boolean(), (bytes, framed) => {
      const blob = framed ? Buffer.concat([Buffer.from('SSHSIG\0\0\0\x01'), bytes]) : Buffer.from(bytes);
      const lines = blob.toString('base64').match(/.{1,70}/g) ?? [];
      const armored = ['-----BEGIN SSH SIGNATURE-----', ...lines, '-----END SSH SIGNATURE-----', ''].join('\n');
      t.throws(() => parseSshsig(armored), { instanceOf: RangeError });
      t.throws(() => parsePublicKey(Buffer.from(bytes)), { instanceOf: RangeError });
    }),
  );
});

test('what is signed verifies, and a changed message does not, for any message and namespace', async (t) => {
  const signer = oneTimeSigner();
  await fc.assert(
    fc.asyncProperty(fc.uint8Array(), fc.stringMatching(/^[a-z0-9@.]{1,20}$/), async (message, namespace) => {
      const sshsig = parseSshsig(await signSshsig(signer, message, namespace));
      t.true(verifySshsig(sshsig, message, namespace));
      t.false(verifySshsig(sshsig, Buffer.concat([message, Buffer.of(0)]), namespace));
    }),
    { numRuns: 50 },
  );
});

test('a SHA-1 signature algorithm is not accepted', (t) => {
  // ssh-rsa, e = 65537, a modulus of 2048 bits, and a signature that names ssh-rsa (SHA-1).
  const modulus = `00000101 00c0${'11'.repeat(255)}`.replaceAll(' ', '');
  const blob = Buffer.from(`000000077373682d727361 00000003010001 ${modulus}`.replaceAll(' ', ''), 'hex');
  const signature = Buffer.from('000000077373682d727361 00000001 00'.replaceAll(' ', ''), 'hex');
  t.throws(() => verifySignature(parsePublicKey(blob), Buffer.from('x'), signature), { message: /not accepted/ });
});

async function makeKey(folder: string, type: string, bits: string, passphrase = ''): Promise<string> {
  const path = join(folder, `id_${type}_${bits}`);
  await execa('ssh-keygen', ['-q', '-t', type, '-b', bits, '-N', passphrase, '-C', 'a comment', '-f', path]);
  return path;
}

async function keygenVerifies(folder: string, signer: Signer, message: string, namespace: string): Promise<string> {
  const [signature, allowed] = [join(folder, 'sig'), join(folder, 'allowed')];
  await writeFile(signature, await signSshsig(signer, Buffer.from(message), namespace));
  await writeFile(allowed, `alice ${publicKeyLine(signer.publicKey)}\n`);
  const { stdout } = await execa(
    'ssh-keygen',
    ['-Y', 'verify', '-n', namespace, '-f', allowed, '-I', 'alice', '-s', signature],
    { input: message },
  );
  return stdout;
}

function accepts(armored: string, message: Buffer): boolean {
  try {
    return verifySshsig(parseSshsig(armored), message, 'tlsnap');
  } catch (error) {
    if (error instanceof RangeError) return false;
    throw error;
  }
}

async function untilThere<T>(attempt: () => PromiseLike<T>): Promise<T> {
  for (let left = 50; ; left -= 1) {
    try {
      return await attempt();
    } catch (error) {
      if (left === 0) throw error;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
}
