import test from 'ava';
import { describeHello } from '../../src/tls/describe.js';
import { ja3, ja3Sha256 } from '../../src/tls/ja3.js';
import { bytes, clientHello, extension, serverHello } from './wire.js';

const fingerprintsOf = (message: Uint8Array, kind: 'client' | 'server') =>
  describeHello(message, { kind, transport: 'tcp', sslv2: false }).fingerprints;

test("the vector of salesforce/ja3's README with extensions holds", (t) => {
  const message = clientHello({
    legacyVersion: 769,
    cipherSuites: [47, 53, 5, 10, 49161, 49162, 49171, 49172, 50, 56, 19, 4],
    extensions: [extension.serverName('example.org'), extension.groups([23, 24, 25]), extension.pointFormats([0])],
  });
  const fingerprints = fingerprintsOf(message, 'client');
  t.is(fingerprints?.ja3String, '769,47-53-5-10-49161-49162-49171-49172-50-56-19-4,0-10-11,23-24-25,0');
  t.is(fingerprints?.ja3, 'ada70206e40642a3e4461f35503241d5');
  // printf %s STRING | sha256sum
  t.is(fingerprints?.ja3Sha256, 'fddba537498702993d57c7bc2b045c0e8909b73a10b45ab68e7b21147449d3a2');
});

test("the vector of salesforce/ja3's README without extensions holds", (t) => {
  const suites = [4, 5, 10, 9, 100, 98, 3, 6, 19, 18, 99];
  const fingerprints = fingerprintsOf(
    clientHello({ legacyVersion: 769, cipherSuites: suites, extensions: null }),
    'client',
  );
  t.is(fingerprints?.ja3String, '769,4-5-10-9-100-98-3-6-19-18-99,,,');
  t.is(fingerprints?.ja3, 'de350869b8c85de67a350c8d186f11e6');
});

test('the published JA3S vector holds', (t) => {
  const message = serverHello({
    cipherSuites: [4866],
    extensions: [[51, bytes(0, 29, 0, 1, 9)], extension.selectedVersion(0x0304)],
  });
  const fingerprints = fingerprintsOf(message, 'server');
  t.is(fingerprints?.ja3sString, '771,4866,51-43');
  t.is(fingerprints?.ja3s, '907bf3ecef1c987c889946b737b43de8');
});

test('GREASE is left out of JA3 and stays in JA3S', (t) => {
  const client = clientHello({
    cipherSuites: [0x0a0a, 0x1301],
    extensions: [extension.empty(0xfafa), extension.groups([0xaaaa, 29]), extension.empty(21), extension.empty(41)],
  });
  t.is(fingerprintsOf(client, 'client')?.ja3String, '771,4865,10-21-41,29,');
  const server = serverHello({ extensions: [extension.empty(0x1a1a)] });
  t.is(fingerprintsOf(server, 'server')?.ja3sString, '771,4865,6682');
});

test('values that only look like GREASE stay', (t) => {
  // 0x0a1a and 0x1a0a have the nibbles, but two different bytes (RFC 8701, section 2).
  const client = clientHello({ cipherSuites: [0x0a1a, 0x1a0a, 0x0b0b], extensions: null });
  t.is(fingerprintsOf(client, 'client')?.ja3String, '771,2586-6666-2827,,,');
});

test('the hashes are those of md5sum and sha256sum', (t) => {
  // printf %s 771,,,, | md5sum; printf %s 771,,,, | sha256sum
  t.is(ja3('771,,,,'), 'bddda940f9963577c41d7c28b1a5f65f');
  t.is(ja3Sha256('771,,,,'), '42a2cebcbbc901885a00242ba7ca68250766b6bb716ea5ac9f6f1e05eafb5991');
});
