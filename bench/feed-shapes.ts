/** Feeds of as many entries as asked for, each as its maker writes it: what bench/feeds.ts loads. */
import { createHash } from 'node:crypto';

/** What makes a feed's text, by a name for it. */
export const FEED_SHAPES: Readonly<Record<string, (entries: number) => string>> = {
  'plain list': (entries) => lines(entries, (at) => hash(at)),
  'SSLBL CSV': (entries) =>
    `# ja3_md5,Firstseen,Lastseen,Listingreason\n${lines(entries, (at) => `${hash(at)},2017-07-14 18:08:15,2019-07-27 20:42:54,${FAMILIES[at % 5] ?? ''} ${at}`)}`,
  'Zeek intel': (entries) =>
    `#fields\tindicator\tindicator_type\tmeta.source\tmeta.desc\tmeta.url\n${lines(entries, (at) => `${hash(at)}\tIntel::JA3\tsslbl.abuse.ch\t${FAMILIES[at % 5] ?? ''}\thttps://sslbl.abuse.ch/ja3-fingerprints/${hash(at)}/`)}`,
  'string dataset': (entries) => lines(entries, (at) => Buffer.from(ja4(at)).toString('base64')),
  'salesforce CSV': (entries) => lines(entries, (at) => `${hash(at)},"App ${at},${FAMILIES[at % 5] ?? ''}"`),
  'ja4plus-mapping CSV': (entries) =>
    `Application,Library,Device,OS,ja4,ja4s,ja4h,ja4x,ja4t,ja4tscan,Notes\n${lines(entries, (at) => `Browser ${at},,,Windows,${ja4(at)},,,,,,seen in a sandbox`)}`,
  'Suricata rules': (entries) =>
    lines(
      entries,
      (at) =>
        `alert tls $HOME_NET any -> $EXTERNAL_NET any (msg:"ET JA3 Hash - ${FAMILIES[at % 5] ?? ''} ${at}"; flow:established,to_server; ja3.hash; content:"${hash(at)}"; reference:url,sslbl.abuse.ch/ja3-fingerprints/; classtype:trojan-activity; sid:${9_000_000 + at}; rev:2; metadata:created_at 2019_09_10, updated_at 2020_08_20;)`,
    ),
  'MISP JSON': (entries) => JSON.stringify(mispEvent(entries)),
  'MISP JSON, indented': (entries) => JSON.stringify(mispEvent(entries), null, 4),
  'MISP feed, indented': (entries) => JSON.stringify(mispFeedEvent(entries), null, 2),
  'ja4db JSON': (entries) => JSON.stringify(list(entries, ja4dbEntry)),
  'ja4db JSON, indented': (entries) => JSON.stringify(list(entries, ja4dbEntry), null, 2),
  'STIX JSON': (entries) => JSON.stringify(stixBundle(entries)),
  'STIX JSON, indented': (entries) => JSON.stringify(stixBundle(entries), null, 4),
};

/** With the members, and the indentation, of what MISP's generator of feeds writes. */
function mispFeedEvent(entries: number): object {
  return {
    Event: {
      info: 'JA3 fingerprints of a botnet',
      date: '2024-03-01',
      Attribute: list(entries, (at) => ({
        uuid: uuid(at),
        category: 'Network activity',
        type: 'ja3-fingerprint-md5',
        value: hash(at),
        comment: `${FAMILIES[at % 5] ?? ''} client`,
        to_ids: true,
        timestamp: String(1_558_483_200 + at),
        deleted: false,
        disable_correlation: false,
      })),
    },
  };
}

function mispEvent(entries: number): object {
  return {
    Event: {
      info: 'JA3 fingerprints of a botnet',
      date: '2024-03-01',
      Attribute: list(entries, (at) => ({
        id: String(at),
        type: 'ja3-fingerprint-md5',
        category: 'Network activity',
        to_ids: true,
        uuid: uuid(at),
        event_id: '42',
        distribution: '5',
        timestamp: String(1_558_483_200 + at),
        comment: `${FAMILIES[at % 5] ?? ''} client`,
        sharing_group_id: '0',
        deleted: false,
        disable_correlation: false,
        object_id: '0',
        object_relation: null,
        first_seen: '2019-05-01T00:00:00.000000+00:00',
        last_seen: null,
        value: hash(at),
        Galaxy: [],
        ShadowAttribute: [],
        ...(at % 4 === 0 && { Tag: [{ id: '3', name: 'tlp:clear', colour: '#ffffff', exportable: true }] }),
      })),
    },
  };
}

function ja4dbEntry(at: number): object {
  return {
    application: at % 3 === 0 ? `Browser ${at}` : null,
    library: at % 7 === 0 ? 'Go "crypto/tls"' : null,
    device: null,
    os: 'Windows',
    user_agent_string: `Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/${at % 130}.0.0.0 Safari/537.36`,
    certificate_authority: null,
    observation_count: 1 + (at % 5000),
    verified: at % 2 === 0,
    notes: at % 11 === 0 ? 'gesehen in Köln' : '',
    ja4_fingerprint: ja4(at),
    ja4_fingerprint_string: null,
    ja4s_fingerprint: null,
    ja4h_fingerprint: null,
    ja4x_fingerprint: null,
    ja4t_fingerprint: null,
    ja4ts_fingerprint: null,
    ja4tscan_fingerprint: null,
  };
}

function stixBundle(entries: number): object {
  return {
    type: 'bundle',
    id: `bundle--${uuid(-1)}`,
    objects: list(entries, (at) => ({
      type: 'indicator',
      spec_version: '2.1',
      id: `indicator--${uuid(at)}`,
      created_by_ref: `identity--${uuid(-2)}`,
      created: '2024-03-01T00:00:00.000Z',
      modified: '2024-03-01T00:00:00.000Z',
      name: `${FAMILIES[at % 5] ?? ''} client`,
      indicator_types: ['malicious-activity'],
      pattern: `[network-traffic:extensions.'tls-ext'.client_ja3_hash = '${hash(at)}']`,
      pattern_type: 'stix',
      pattern_version: '2.1',
      valid_from: '2024-03-01T00:00:00Z',
      labels: ['botnet', FAMILIES[at % 5]],
    })),
  };
}

function lines(entries: number, line: (at: number) => string): string {
  return `${list(entries, line).join('\n')}\n`;
}

function list<Item>(entries: number, item: (at: number) => Item): Item[] {
  return Array.from({ length: entries }, (_, at) => item(at));
}

function hash(at: number): string {
  return createHash('md5').update(String(at)).digest('hex');
}

function ja4(at: number): string {
  return `t13d1516h2_${hash(at).slice(0, 12)}_${hash(at).slice(12, 24)}`;
}

function uuid(at: number): string {
  const digits = hash(at);
  return `${digits.slice(0, 8)}-${digits.slice(8, 12)}-4${digits.slice(13, 16)}-9${digits.slice(17, 20)}-${digits.slice(20)}`;
}

const FAMILIES = ['Tofsee', 'Trickbot', 'Emotet', 'Dridex', 'Qakbot'];
