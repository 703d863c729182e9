/** An ordinary program or library that sends a fingerprint, and who says so. */
export interface CommonClient {
  readonly name: string;
  readonly source: string;
}

/**
 * The ordinary client that is known to send this JA3 or JA4; null for most.
 * A hit on such a fingerprint says little: whatever a feed names shares it with harmless software.
 */
export function commonClient(fingerprint: string): CommonClient | null {
  const known = COMMON.get(fingerprint);
  return known === undefined ? null : { name: known[0], source: known[1] };
}

const SALESFORCE = 'salesforce/ja3, lists/osx-nix-ja3.csv';
const SALESFORCE_README = 'salesforce/ja3, README';
const FOXIO = 'FoxIO-LLC/ja4, ja4plus-mapping.csv';
/** Real programs against `openssl s_server`, JA3 by tshark 4.0.17; fixtures/README.md says how to repeat it. */
const MEASURED = 'measured on Debian 12, November 2026';

/**
 * Small on purpose, and only what has a source: lists on the web contradict each other about most values.
 * The clients that a Linux host is most likely to run, and the ones that feeds are known to list.
 */
const COMMON: ReadonlyMap<string, readonly [name: string, source: string]> = new Map([
  ['e7d705a3286e19ea42f587b344ee6865', ['the Tor client', SALESFORCE_README]],
  ['0149f47eabf9a20d0893e2a44e5a6323', ['curl 7.88 with OpenSSL 3.0', MEASURED]],
  ['78f0dc5ac5b19daf131a133cfdee9691', ['curl 7.88 with OpenSSL 3.0, to an address', MEASURED]],
  ['93c7d42c0df602fb91589311534831f5', ['Python 3.11 with OpenSSL 3.0', MEASURED]],
  ['0cce74b0d9b7f8528fb2181588d23793', ['Node.js 20', MEASURED]],
  ['a3afc2c46ba4a7d7fbe1cfb7a3031c2f', ['OpenSSL 3.0 as it comes', MEASURED]],
  ['bb4f9fef542ff6b4b29aa653bf0c1d31', ['GNU Wget 1.21 with GnuTLS', MEASURED]],
  ['t13d3112h2_e8f1e7e78f70_b26ce05bbdd6', ['curl 7.88 with OpenSSL 3.0', MEASURED]],
  ['t13i3111h2_e8f1e7e78f70_b26ce05bbdd6', ['curl 7.88 with OpenSSL 3.0, to an address', MEASURED]],
  ['t13d3112h1_e8f1e7e78f70_b26ce05bbdd6', ['curl 7.88 with OpenSSL 3.0, HTTP/1.1', MEASURED]],
  ['t13d181100_85036bcba153_d41ae481755e', ['Python 3.11 with OpenSSL 3.0', MEASURED]],
  ['t13d591000_a33745022dd6_1f22a2ca17c4', ['Node.js 20', MEASURED]],
  ['t13d311000_e8f1e7e78f70_1f22a2ca17c4', ['OpenSSL 3.0 as it comes', MEASURED]],
  ['t13d291300_723694b0fccc_899037bd0b8c', ['GNU Wget 1.21 with GnuTLS', MEASURED]],
  ['t13i181000_85036bcba153_d41ae481755e', ['Python', FOXIO]],
  ['t13d181000_85036bcba153_d41ae481755e', ['Python', FOXIO]],
  ['t13d190900_9dc949149365_97f8aa674fd9', ['programs written in Go', FOXIO]],
  ['t13i190900_9dc949149365_97f8aa674fd9', ['programs written in Go', FOXIO]],
  ['t13d1516h2_8daaf6152771_02713d6af862', ['Chromium browsers', FOXIO]],
  ['t13i1516h2_8daaf6152771_02713d6af862', ['Chromium browsers', FOXIO]],
  ['t13d1517h2_8daaf6152771_b0da82dd1658', ['Chromium browsers', FOXIO]],
  ['t13d1517h2_8daaf6152771_b1ff8ab2d16f', ['Chromium browsers', FOXIO]],
  ['q13d0312h3_55b375c5d22e_06cda9e17597', ['Chromium browsers, QUIC', FOXIO]],
  ['q13i0312h3_55b375c5d22e_06cda9e17597', ['Chromium browsers, QUIC', FOXIO]],
  ['b4f4e6164f938870486578536fc1ffce', ['Google Chrome', SALESFORCE]],
  ['94c485bca29d5392be53f2b8cf7f4304', ['Google Chrome', SALESFORCE]],
  ['0ffee3ba8e615ad22535e7f771690a28', ['Firefox', SALESFORCE]],
  ['ce694315cbb81ce95e6ae4ae8cbafde6', ['Firefox', SALESFORCE]],
  ['61d0d709fe7ac199ef4b2c52bc8cef75', ['Firefox and Thunderbird', SALESFORCE]],
  ['07b4162d4db57554961824a21c4a0fde', ['Firefox and Thunderbird', SALESFORCE]],
  ['c36fb08942cf19508c08d96af22d4ffc', ['Safari', SALESFORCE]],
  ['488b6b601cb141b062d4da7f524b4b22', ['many programs: Python, PHP, Git, dotnet', SALESFORCE]],
  ['84071ea96fc8a60c55fc8a405e214c0f', ['many desktop programs', SALESFORCE]],
  ['190dfb280fe3b541acc6a2e5f00690e6', ['many programs: Spotify, Dropbox, GitHub Desktop', SALESFORCE]],
  ['20dd18bdd3209ea718989030a6f93364', ['many programs: Slack, Postman, Google Chrome', SALESFORCE]],
  ['f28d34ce9e732f644de2350027d74c3f', ['many programs: Quip, Spotify', SALESFORCE]],
  ['40fd0a5e81ebdcf0ec82a4710a12dec1', ['many programs on macOS', SALESFORCE]],
  ['2db6873021f2a95daa7de0d93a1d1bf2', ['Java programs', SALESFORCE]],
  ['424008725394c634a4616b8b1f2828a5', ['Java programs', SALESFORCE]],
  ['641df9d6dbe7fdb74f70c8ad93def8cc', ['Node.js', SALESFORCE]],
  ['9811c1bb9f0f6835d5c13a831cca4173', ['Node.js', SALESFORCE]],
  ['d219efd07cbb8fbe547e6a5335843f0f', ['Ruby', SALESFORCE]],
]);
