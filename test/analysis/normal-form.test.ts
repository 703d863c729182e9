import test from 'ava';
import fc from 'fast-check';
import { clientNormalForm, sameStack, serverNormalForm, type NormalForm } from '../../src/analysis/normal-form.js';
import { clientHello, extension } from '../tls/wire.js';
import { realHello, realHellos } from './made-snapshot.js';

// Real hellos are from fixtures/hellos: their JA3 is tshark's, and which library sent them is what the client says.

test('two hellos of one Chromium, which shuffles and greases, have another JA3 and one normal form', (t) => {
  const [one, other] = [realHello('chromium', 0), realHello('chromium', 1)];
  t.not(one.ja3, other.ja3);
  t.deepEqual(identity(formOf(one.message)), identity(formOf(other.message)));
});

test('a session and its resumption have another JA3 and one normal form', (t) => {
  const [first, resumed] = [realHello('node-resumption', 0), realHello('node-resumption', 1)];
  t.not(first.ja3, resumed.ja3);
  t.deepEqual(identity(formOf(first.message)), identity(formOf(resumed.message)));
});

test('other clients, and other settings of one client, have another normal form', (t) => {
  const names = ['openssl-default', 'openssl-tls1.2', 'curl', 'gnutls', 'node', 'python', 'chromium'];
  const forms = names.map((name) => JSON.stringify(identity(formOf(realHello(name).message))));
  t.is(new Set(forms).size, names.length);
});

test('OpenSSL is one library in every program, and neither GnuTLS nor Chromium is OpenSSL', (t) => {
  const libraryOf = (client: string): string =>
    /^gnutls/.test(client) ? 'GnuTLS' : /^Chromium/.test(client) ? 'BoringSSL' : 'OpenSSL';
  // With three suites of TLS 1.3 alone there is too little to tell OpenSSL from GnuTLS.
  const hellos = realHellos().filter(({ name }) => name !== 'openssl-tls1.3' && name !== 'openssl-retry');
  for (const one of hellos) {
    for (const other of hellos) {
      const same = sameStack(formOf(one.message).shape, formOf(other.message).shape);
      const expected = libraryOf(one.client) === libraryOf(other.client);
      // The same library may not be seen to be; another must never be taken for the same.
      if (libraryOf(one.client) === 'GnuTLS' && expected) continue;
      t.is(same, expected, `${one.name} and ${other.name}`);
    }
  }
});

test('order of extensions, GREASE, tickets, pre-shared keys, padding, early data and cookies change nothing', (t) => {
  const passing = [35, 41, 21, 42, 44, 0x0a0a, 0xfafa];
  fc.assert(
    fc.property(fc.subarray(LASTING), fc.subarray(passing), fc.infiniteStream(fc.nat()), (lasting, extra, random) => {
      const plain = formOf(helloWith(lasting));
      const noise = shuffled([...lasting, ...extra], random);
      t.deepEqual(identity(formOf(helloWith(noise))), identity(plain));
    }),
  );
});

test('another extension, or another order of cipher suites, is another form', (t) => {
  const form = (extensions: readonly number[], cipherSuites: readonly number[]) =>
    JSON.stringify(identity(formOf(helloWith(extensions, cipherSuites))));
  fc.assert(
    fc.property(fc.subarray(LASTING, { minLength: 1 }), fc.nat(), (extensions, at) => {
      const fewer = extensions.filter((_, index) => index !== at % extensions.length);
      t.not(form(fewer, SUITES), form(extensions, SUITES));
      t.not(form(extensions, [...SUITES].reverse()), form(extensions, SUITES));
    }),
  );
});

test('a hello that is cut short has no normal form', (t) => {
  const { message } = realHello('curl');
  for (let length = 0; length < message.length; length += 7)
    t.is(clientNormalForm(message.subarray(0, length), 'tcp'), null);
});

test("a server's answer to a resumption has the form of its answer to a session", (t) => {
  // RFC 6066, 3: a resuming server does not repeat server_name; 41 is pre_shared_key, 51 key_share, 43 supported_versions.
  t.is(serverNormalForm('771,4865,43-51'), serverNormalForm('771,4865,51-43-41'));
  t.is(serverNormalForm('771,49200,0-65281-11-35-23'), serverNormalForm('771,49200,65281-23-11'));
  t.not(serverNormalForm('771,49200,65281'), serverNormalForm('771,49199,65281'));
  t.is(serverNormalForm('771,49200,'), serverNormalForm('771,49200,35'));
});

function formOf(message: Uint8Array): NormalForm {
  const form = clientNormalForm(message, 'tcp');
  if (!form) throw new Error('no normal form');
  return form;
}

function identity({ ja4, ja3 }: NormalForm): object {
  return { ja4, ja3 };
}

function helloWith(extensions: readonly number[], cipherSuites: readonly number[] = SUITES): Uint8Array {
  return clientHello({ cipherSuites: [...cipherSuites], extensions: extensions.map(extension.empty) });
}

function shuffled<T>(values: readonly T[], random: { next(): { value?: number } }): T[] {
  return values
    .map((value) => [random.next().value ?? 0, value] as const)
    .sort(([a], [b]) => a - b)
    .map(([, value]) => value);
}

const LASTING = [0, 5, 10, 11, 13, 16, 18, 22, 23, 27, 28, 43, 45, 51, 65281];
const SUITES = [4865, 4866, 49199, 49200];
