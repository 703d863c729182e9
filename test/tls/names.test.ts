import test from 'ava';
import { execFileSync } from 'node:child_process';
import {
  CIPHER_SUITE_NAMES,
  EXTENSION_NAMES,
  GROUP_NAMES,
  POINT_FORMAT_NAMES,
  SIGNATURE_SCHEME_NAMES,
} from '../../src/tls/iana.js';
import {
  cipherSuiteName,
  extensionName,
  groupName,
  pointFormatName,
  signatureSchemeName,
} from '../../src/tls/names.js';
import { reasonAgainstCommands, testUnless } from '../left-out.js';
import { readIanaCsv } from '../../scripts/iana-table.js';

test('code points have the names of the RFCs', (t) => {
  // RFC 8446 appendix B, RFC 5246 appendix A.5, RFC 8422 section 5.1, RFC 8701.
  t.is(cipherSuiteName(0x1301), 'TLS_AES_128_GCM_SHA256');
  t.is(cipherSuiteName(0x002f), 'TLS_RSA_WITH_AES_128_CBC_SHA');
  t.is(extensionName(43), 'supported_versions');
  t.is(groupName(29), 'x25519');
  t.is(signatureSchemeName(0x0804), 'rsa_pss_rsae_sha256');
  t.is(pointFormatName(0), 'uncompressed');
  t.is(cipherSuiteName(0x2a2a), 'GREASE 0x2a2a');
});

test('what has no name is named by its number', (t) => {
  t.deepEqual([cipherSuiteName(0x9999), extensionName(0xffff), pointFormatName(9)], ['0x9999', '0xffff', '0x09']);
});

testUnless(reasonAgainstCommands('tshark'), "registered names are those of Wireshark's own tables", (t) => {
  const values = tsharkValues();
  const tables: Record<string, [names: Readonly<Record<number, string>>, exempt: RegExp]> = {
    // Wireshark has two names for drafts without marking them as old, and numbers that nobody registered.
    'tls.handshake.ciphersuite': [CIPHER_SUITE_NAMES, /^OLD_/],
    'tls.handshake.extension.type': [
      EXTENSION_NAMES,
      /^(delegated_credential|connection_id_deprecated|.*_old|.*_draft)$/,
    ],
    // The numbers of liboqs' experiments have since been registered for ML-KEM.
    'tls.handshake.extensions_supported_group': [GROUP_NAMES, /^MLKEM/],
    'tls.handshake.sig_hash_alg': [SIGNATURE_SCHEME_NAMES, /^$/],
    'tls.handshake.extensions_ec_point_format': [POINT_FORMAT_NAMES, /^$/],
  };
  let compared = 0;
  for (const [field, value, name] of values) {
    const [names, exempt] = tables[field] ?? [{}, /^$/];
    const ours = names[value];
    if (ours === undefined || exempt.test(ours)) continue;
    t.is(ours, name, `${field} ${value}`);
    compared++;
  }
  t.true(compared > 450, `${compared} names compared`);
});

test("IANA's own CSV is understood: assigned values only, in each of its three notations", (t) => {
  const csv = `Value,Description,DTLS-OK,Recommended,Reference
"0x00,0x1C-1D",Reserved to avoid conflicts with SSLv3,,,[RFC5246]
"0x13,0x01",TLS_AES_128_GCM_SHA256,Y,Y,[RFC8446]
0x0804,rsa_pss_rsae_sha256,Y,Y,[RFC8446]
10,"supported_groups (renamed from ""elliptic_curves"")",Y,Y,[RFC8422]
2570,Reserved,Y,N,[RFC8701]
42-255,Unassigned,,,
`;
  t.deepEqual(
    readIanaCsv(csv, 'group').map(({ value, name }) => [value, name]),
    [
      [0x1301, 'TLS_AES_128_GCM_SHA256'],
      [0x0804, 'rsa_pss_rsae_sha256'],
      [10, 'supported_groups'],
    ],
  );
});

/** Rows of `tshark -G values`: field, value, name. */
function tsharkValues(): [field: string, value: number, name: string][] {
  return execFileSync('tshark', ['-G', 'values'], { encoding: 'utf8', maxBuffer: 256 << 20, stdio: 'pipe' })
    .split('\n')
    .map((line) => line.split('\t'))
    .filter(([kind, field]) => kind === 'V' && field?.startsWith('tls.handshake.'))
    .map(([, field = '', value, name = '']) => [field, Number(value), name]);
}
