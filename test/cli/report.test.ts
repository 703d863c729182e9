import { copyFile, readFile, writeFile } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { parse } from 'csv-parse/sync';
import { execa } from 'execa';
import { REPORT_FORMATS } from '../../src/report/formats.js';
import { writeReport } from '../../src/write-report.js';
import type { PageData } from '../../src/report/html/page-data.js';
import { HOSTILE_NAMES, writeHostileSnapshot } from '../report/hostile-snapshot.js';
import { madeHello, makeSnapshot } from '../analysis/made-snapshot.js';
import { temporaryFolder, timeAt, writeSample } from '../snapshot/sample.js';
import { runCli } from './run-cli.js';

const PROJECT = resolve(import.meta.dirname, '../..');
/** Of clients and of servers that really spoke to each other: fixtures/pcap/README.md. */
const CAPTURE = join(PROJECT, 'fixtures/pcap/clients.pcapng');

test('timesketch has what Timesketch requires, as JSONL and as CSV, in microseconds', async (t) => {
  const { folder, snapshot } = await hostile(t);
  const [jsonl, csv] = [join(folder, 'events.jsonl'), join(folder, 'events.csv')];
  await report(t, [snapshot, '--format', 'timesketch', '--output', jsonl]);
  await report(t, [snapshot, '--format', 'timesketch', '--output', csv]);
  const events = lines(await readFile(jsonl, 'utf8'));
  t.is(events.length, HOSTILE_NAMES.length * 3);
  for (const event of events) {
    for (const field of ['message', 'datetime', 'timestamp_desc']) t.is(typeof event[field], 'string', field);
    const { datetime, timestamp } = event as { datetime: string; timestamp: number };
    // Date knows milliseconds only; the rest is in the text.
    t.is(Math.floor(timestamp / 1000), Date.parse(datetime));
    t.regex(datetime, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}\+00:00$/);
    t.is(timestamp % 1_000_000, Number(datetime.slice(20, 26)));
  }
  const rows = parse<Record<string, string>>(await readFile(csv, 'utf8'), { columns: true });
  t.deepEqual(
    rows.map((row) => [row['message'], row['timestamp']]),
    events.map((event) => [event['message'], String(event['timestamp'])]),
  );
});

// wait(2): exit(3) is the status 3 << 8, SIGKILL the status 9.
test('a timeline tells with which code, or by which signal, a process ended', async (t) => {
  const processes = [768, 9].map((exitCode, at) => ({ pid: 10 + at, exited: timeAt(1n), exitCode }));
  const snapshot = await makeSnapshot(await temporaryFolder(t), 'ended', { processes });
  for (const format of ['timesketch', 'l2tcsv']) {
    const { stdout } = await report(t, [snapshot, '--format', format]);
    t.regex(stdout, /\(pid 10\) ended, code 3\b/);
    t.regex(stdout, /\(pid 11\) ended, signal 9\b/);
  }
});

test('l2tcsv has the 17 columns of log2timeline, dates its way round, and one line a row', async (t) => {
  const { snapshot } = await hostile(t);
  const { stdout } = await report(t, [snapshot, '--format', 'l2tcsv']);
  const [head, ...rows] = parse(stdout);
  t.deepEqual(
    head?.join(','),
    'date,time,timezone,MACB,source,sourcetype,type,user,host,short,desc,version,filename,inode,notes,format,extra',
  );
  t.is(rows.length, HOSTILE_NAMES.length * 3);
  t.is(stdout.split('\n').length, rows.length + 1);
  for (const [date, time, zone, macb] of rows) {
    t.is(date, '11/22/2026');
    t.regex(time ?? '', /^\d\d:\d\d:\d\d$/);
    t.is(zone, 'UTC');
    t.regex(macb ?? '', /^[M.][A.][C.][B.]$/);
  }
});

test('zeek has a line a connection, with what tshark reads of both its hellos', async (t) => {
  const snapshot = await imported(t);
  const records = lines((await report(t, [snapshot, '--format', 'zeek'])).stdout);
  const { stdout } = await execa('tshark', [
    ...['-r', CAPTURE, '-Y', 'tls.handshake.type == 2 && !(tls.handshake.random == cf:21:ad:74:e5:9a:61:11)'],
    ...['-T', 'fields', '-e', 'tcp.dstport', '-e', 'tls.handshake.ja3s'],
  ]);
  const answers = stdout.split('\n').map((line) => line.split('\t'));
  t.true(answers.length > 3);
  for (const [port, ja3s] of answers) {
    const record = records.find((one) => String(one['id.orig_p']) === port);
    t.is(record?.['ja3s'], ja3s);
    t.regex(String(record?.['version']), /^TLSv1[0-3]$/);
    t.regex(String(record?.['cipher']), /^TLS_/);
    t.is(typeof record?.['ts'], 'number');
    t.regex(String(record?.['uid']), /^C[0-9A-Za-z]{17}$/);
    t.regex(String(record?.['ja3']), /^[0-9a-f]{32}$/);
  }
});

test('ecs has the fields of the schema, and JA4 in a namespace of its own', async (t) => {
  const snapshot = await imported(t);
  const documents = lines((await report(t, [snapshot, '--format', 'ecs'])).stdout) as unknown as Ecs[];
  const client = documents.find(({ event }) => event.action === 'tls-client-hello');
  const server = documents.find(({ event, tls }) => event.action === 'tls-server-hello' && tls.client);
  t.regex(client?.['@timestamp'] ?? '', /^\d{4}-\d\d-\d\dT/);
  t.regex(client?.tls.client?.ja3 ?? '', /^[0-9a-f]{32}$/);
  t.regex(client?.tlsnap.ja4 ?? '', /^t1[23][di]\d{4}/);
  t.is(client?.tls.version, undefined);
  t.regex(server?.tls.server?.ja3s ?? '', /^[0-9a-f]{32}$/);
  t.regex(server?.tls.version ?? '', /^1\.[0-3]$/);
  t.is(server?.tls.version_protocol, 'tls');
  t.regex(server?.tls.cipher ?? '', /^TLS_/);
  t.is(typeof server?.source.port, 'number');
  t.notRegex(JSON.stringify(documents), /:null\b/, 'what is not known is left out');
});

// ECS 8.17: matched.field is the field that was matched, and matched.atomic the value that matched in it. A pair's
// halves are joined by ` + ` in its own value, which no field holds.
// OCSF 1.4: an enrichment's name is that of the attribute to which its data pertains, and its value is the attribute's.
test('what an enrichment of ecs or ocsf matched is in the field of its document that it names', async (t) => {
  const snapshot = await imported(t);
  const table = (await report(t, [snapshot, '--format', 'csv'])).stdout;
  const rows = parse<Record<string, string>>(table, { columns: true });
  const server = rows.find(({ ja3s }) => ja3s !== '');
  const port = server?.['dst_port'];
  const client = rows.find(({ kind, src_port, server_name }) => kind === 'client' && src_port === port && server_name !== ''); // prettier-ignore
  const value = (row: Record<string, string> | undefined, column: string) => row?.[column] ?? '';
  const folder = await temporaryFolder(t);
  const feed = (name: string, text: string) => writeFile(join(folder, name), text).then(() => join(folder, name));
  const feeds = [
    await feed('ja3', ['ja3', 'ja3_sha256', 'ja4', 'ja4_r', 'server_name'].map((column) => `${value(client, column)}\n`).join('')), // prettier-ignore
    await feed('ja3s.rules', `alert tls any any -> any any (ja3s.hash; content:"${value(server, 'ja3s')}"; sid:1;)\n`),
    await feed('pair.rules', `alert tls any any -> any any (ja3.hash; content:"${value(client, 'ja3')}"; ja3s.hash; content:"${value(server, 'ja3s')}"; sid:2;)\n`), // prettier-ignore
    await feed('domain.rules', `alert tls any any -> any any (tls.sni; dotprefix; content:".${value(client, 'server_name').replace(/^[^.]+\./, '')}"; endswith; sid:3;)\n`), // prettier-ignore
    await feed('strings.lst', `${Buffer.from(value(client, 'ja3_string')).toString('base64')}\n`),
  ];
  const read = async (format: 'ecs' | 'ocsf') => {
    const output = join(folder, format);
    await writeReport({ snapshot, format, table: undefined, feeds, as: undefined, output });
    return lines(await readFile(output, 'utf8'));
  };
  const seen = new Set<string>();
  for (const document of (await read('ecs')) as unknown as Enriched[]) {
    for (const { matched, tlsnap } of document.threat?.enrichments ?? []) {
      const held = at(document, matched.field);
      // A domain is the indicator's value, and the field holds a name below it.
      if (tlsnap.type === 'domain') t.true(String(held).endsWith(`.${matched.atomic}`));
      else t.is(held, matched.atomic, `${document.event.action}: ${matched.field}`);
      seen.add(`${document.event.action} ${tlsnap.type} ${matched.field}`);
    }
  }
  for (const expected of [
    'tls-client-hello ja3 tls.client.ja3',
    'tls-client-hello ja3Sha256 tlsnap.ja3_sha256',
    'tls-client-hello ja3String tlsnap.ja3_string',
    'tls-client-hello ja4 tlsnap.ja4',
    'tls-client-hello ja4r tlsnap.ja4_r',
    'tls-client-hello serverName tls.client.server_name',
    'tls-server-hello ja3s tls.server.ja3s',
    'tls-server-hello pair tls.server.ja3s',
  ]) {
    t.true(seen.has(expected), `${expected} of ${[...seen].join(', ')}`);
  }
  const named = new Set<string>();
  for (const event of await read('ocsf')) {
    for (const { name, value, data } of (event['enrichments'] ?? []) as OcsfEnrichment[]) {
      t.true([at(event, name)].flat().includes(value), `${name} is ${value}`);
      named.add(`${data.type} ${name}`);
    }
  }
  t.deepEqual([...named].sort(), [
    'domain tls.sni',
    'ja3 tls.ja3_hash.value',
    'ja3Sha256 unmapped.ja3_sha256',
    'ja3String unmapped.ja3_string',
    'ja3s tls.ja3s_hash.value',
    'ja4 ja4_fingerprint_list.value',
    'ja4r unmapped.ja4_r',
    'pair tls.ja3s_hash.value',
    'serverName tls.sni',
  ]);
});

// ECS 8.17: source is who opened the connection, whichever of the two sent the packet.
test("an address that hit is in source where it is the client's, and in destination where it is the server's, of both hellos", async (t) => {
  const folder = await temporaryFolder(t);
  const [client, server] = [
    { src: '192.0.2.1', srcPort: 40_000 },
    { src: '198.51.100.2', srcPort: 443 },
  ];
  const flow = { ...client, dst: server.src, dstPort: server.srcPort };
  const answer = { ...madeHello({ at: 1n }), kind: 'server' as const, tls: null, fingerprints: null };
  const back = { ...answer.flow, ...server, dst: client.src, dstPort: client.srcPort };
  const snapshot = await makeSnapshot(folder, 'made', { handshakes: [madeHello({ flow }), { ...answer, flow: back }] });
  const feed = join(folder, 'feed');
  await writeFile(feed, `${client.src}\n${server.src}\n`);
  const output = join(folder, 'ecs');
  await writeReport({ snapshot, format: 'ecs', table: undefined, feeds: [feed], as: undefined, output });
  const documents = lines(await readFile(output, 'utf8')) as unknown as Enriched[];
  t.deepEqual(
    documents.map(({ event, threat }) => [
      event.action,
      ...(threat?.enrichments ?? []).map(({ matched }) => `${matched.field} ${matched.atomic}`).sort(),
    ]),
    [
      ['tls-client-hello', 'destination.ip 198.51.100.2', 'source.ip 192.0.2.1'],
      ['tls-server-hello', 'destination.ip 198.51.100.2', 'source.ip 192.0.2.1'],
    ],
  );
  for (const document of documents) t.is(at(document, 'source.ip'), client.src);
  const ocsf = join(folder, 'ocsf');
  await writeReport({ snapshot, format: 'ocsf', table: undefined, feeds: [feed], as: undefined, output: ocsf });
  for (const event of lines(await readFile(ocsf, 'utf8'))) {
    const enrichments = event['enrichments'] as OcsfEnrichment[];
    t.deepEqual(enrichments.map(({ name }) => name).sort(), ['dst_endpoint.ip', 'src_endpoint.ip']);
    for (const { name, value } of enrichments) t.is(at(event, name), value);
  }
});

test('ocsf events are of class network_activity, with fingerprints as objects', async (t) => {
  const snapshot = await imported(t);
  const events = lines((await report(t, [snapshot, '--format', 'ocsf'])).stdout);
  const event = events.find((one) => 'ja4_fingerprint_list' in one) as Record<string, Record<string, unknown>>;
  t.like(event, { class_uid: 4001, category_uid: 4, activity_id: 6, type_uid: 400106, severity_id: 1 });
  const [ja4] = event['ja4_fingerprint_list'] as unknown as Record<string, string>[];
  t.is([ja4?.['section_a'], ja4?.['section_b'], ja4?.['section_c']].join('_'), ja4?.['value'] ?? '');
  t.like(event['tls'], { ja3_hash: { algorithm_id: 1 } });
});

test('pcapng is what tshark reads the same fingerprints from', async (t) => {
  const snapshot = await imported(t);
  const output = `${snapshot}.pcapng`;
  await report(t, [snapshot, '--format', 'pcapng', '--output', output]);
  const ja3 = async (file: string): Promise<string[]> => {
    const args = ['-r', file, '-Y', 'tls.handshake.type == 1', '-T', 'fields', '-e', 'tls.handshake.ja3'];
    return (await execa('tshark', args)).stdout.split('\n').sort();
  };
  t.deepEqual(await ja3(output), await ja3(CAPTURE));
});

test('a hit is told in every format or in a note, exits 1, and --table matches has it', async (t) => {
  const { folder, snapshot } = await hostile(t);
  const feed = join(folder, 'feed.txt');
  await writeFile(feed, 'web.example\n');
  t.is((await runCli(['report', snapshot, '--format', 'zeek', '--feed', feed])).exitCode, 0);
  const csv = parse<Record<string, string>>((await report(t, [snapshot, '--format', 'csv'])).stdout, { columns: true });
  await writeFile(feed, `${csv[0]?.['ja3'] ?? ''}\n`);
  // In this process: ten starts of the command line would tell no more than one.
  for (const format of REPORT_FORMATS) {
    const output = join(folder, `report.${format}`);
    const { hits, notes } = await writeReport({
      ...{ snapshot, format, table: undefined, feeds: [feed], as: undefined, output },
    });
    t.is(hits.total, csv.length, format);
    const told = (await readFile(output)).includes('feed.txt') || notes.join().includes(`${csv.length} hits`);
    t.true(told, format);
  }
  const matches = await runCli(['report', snapshot, '--format', 'csv', '--table', 'matches', '--feed', feed]);
  t.is(matches.exitCode, 1);
  t.is(parse(matches.stdout, { columns: true }).length, csv.length);
});

test('what of the feeds was not compared is told by every command, in the words of match, and its exit code stays', async (t) => {
  const { folder, snapshot } = await hostile(t);
  const rules = join(folder, 'pass.rules');
  // A rule that lets pass is left out, so this feed has nothing to compare.
  await writeFile(rules, `pass tls any any -> any any (ja3.hash; content:"${'0'.repeat(32)}"; sid:1;)\n`);
  const misp = join(PROJECT, 'fixtures/feeds/misp-event.json');
  const feeds = ['--feed', misp, '--feed', rules];
  const gaps = [
    `${misp}: 1 entry not understood, see feed check`,
    `${rules}: Suricata rules, without any indicator`,
    'not compared: 1 ja4s, not supported: licence (FoxIO License 1.1)',
  ];
  // The names of this snapshot are not those of its raw bytes, so that a replay of it exits 1 anyway.
  for (const [code, ...args] of [
    [0, 'match', snapshot],
    [0, 'report', snapshot, '--format', 'zeek'],
    [1, 'replay', snapshot],
  ] as const) {
    const { stderr, exitCode } = await runCli([...args, ...feeds]);
    t.is(exitCode, code, args[0]);
    for (const gap of gaps) t.true(stderr.split('\n').includes(gap), `${args[0]}: ${gap}`);
  }
  const { stderr, exitCode } = await runCli(['diff', snapshot, snapshot, ...feeds]);
  t.is(exitCode, 0);
  for (const gap of gaps.slice(0, 2)) t.true(stderr.split('\n').includes(`not compared: feed: ${gap}`), gap);
  const json = JSON.parse((await runCli(['replay', snapshot, ...feeds, '--json'])).stdout) as { feeds: object[] };
  t.like(json.feeds[0], { path: misp, problemCount: 1 });
});

test('a page says that nothing is named by the feeds only where all of them was compared', async (t) => {
  const { folder, snapshot } = await hostile(t);
  const [whole, part] = [join(folder, 'whole.txt'), join(folder, 'part.txt')];
  await writeFile(whole, 'web.invalid\n');
  // The SHA-1 of a certificate is understood, and no hello has it.
  await writeFile(part, `web.invalid\n${'a'.repeat(40)}\n`);
  const hits = async (feed: string) => {
    const output = `${feed}.html`;
    await writeReport({ snapshot, format: 'html', table: undefined, feeds: [feed], as: undefined, output });
    const text = /<script[^>]* id="data"[^>]*>(.*?)<\/script>/s.exec(await readFile(output, 'utf8'))?.[1] ?? '';
    const { figures, tables } = JSON.parse(text) as Pick<PageData, 'figures' | 'tables'>;
    return {
      tone: figures.find(({ label }) => label === 'feed hits')?.tone,
      note: tables.find(({ id }) => id === 'hits')?.note ?? '',
    };
  };
  const all = await hits(whole);
  t.is(all.tone, 'good');
  t.regex(all.note, /^Nothing in the snapshot is named by the feeds\./);
  const some = await hits(part);
  t.is(some.tone, 'warn');
  t.regex(some.note, /named by what was compared of the feeds.*not compared: 1 sha1, a snapshot holds the SHA-256/);
  const misp = join(folder, 'misp-event.json');
  await copyFile(join(PROJECT, 'fixtures/feeds/misp-event.json'), misp);
  const broken = await hits(misp);
  t.is(broken.tone, 'warn');
  t.regex(broken.note, /misp-event\.json: 1 entry not understood, see feed check/);
});

test('what makes no sense is a usage error, and nothing is left where a report fails', async (t) => {
  const folder = await temporaryFolder(t);
  const { path } = await writeSample(folder);
  t.is((await runCli(['report', path])).exitCode, 2);
  t.is((await runCli(['report', path, '--format', 'ecs', '--table', 'sockets'])).exitCode, 2);
  t.is((await runCli(['report', path, '--format', 'csv', '--table', 'matches'])).exitCode, 2);
  t.is((await runCli(['report', path, '--format', 'csv', '--json'])).exitCode, 2);
  t.is((await runCli(['report', path, '--format', 'csv', '--output', path])).exitCode, 74);
  const output = join(folder, 'out.csv');
  t.is((await runCli(['report', CAPTURE, '--format', 'csv', '--output', output])).exitCode, 65);
  t.false(existsSync(output));
  const { stdout, exitCode } = await runCli(['report', path, '--format', 'csv', '--output', output, '--json']);
  t.is(exitCode, 0);
  t.like(JSON.parse(stdout), { output, rows: { handshakes: 3 }, hits: { total: 0 } });
});

interface Ecs {
  readonly '@timestamp': string;
  readonly event: { readonly action: string };
  readonly source: { readonly port: number };
  readonly tls: {
    readonly version?: string;
    readonly version_protocol?: string;
    readonly cipher?: string;
    readonly client?: { readonly ja3?: string };
    readonly server?: { readonly ja3s?: string };
  };
  readonly tlsnap: { readonly ja4?: string };
}

interface Enriched {
  readonly event: { readonly action: string };
  readonly threat?: {
    readonly enrichments: readonly {
      readonly matched: { readonly field: string; readonly atomic: string };
      readonly tlsnap: { readonly type: string };
    }[];
  };
}

interface OcsfEnrichment {
  readonly name: string;
  readonly value: string;
  readonly data: { readonly type: string };
}

/** What a field holds; of lists, that of every element. */
function at(document: object, field: string): unknown {
  return field
    .split('.')
    .reduce<unknown>(
      (value, name) =>
        Array.isArray(value)
          ? value.map((one: Record<string, unknown>) => one[name])
          : (value as Record<string, unknown> | undefined)?.[name],
      document,
    );
}

function lines(text: string): Record<string, unknown>[] {
  return text
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}

async function report(t: ExecutionContext, args: readonly string[]) {
  const result = await runCli(['report', ...args]);
  t.is(result.exitCode, 0, result.stderr);
  return result;
}

async function hostile(t: ExecutionContext) {
  const folder = await temporaryFolder(t);
  return { folder, snapshot: (await writeHostileSnapshot(folder)).path };
}

async function imported(t: ExecutionContext): Promise<string> {
  const output = join(await temporaryFolder(t), 'clients.tlsnap.tar.gz');
  const { exitCode, stderr } = await runCli(['import', CAPTURE, '--output', output, '--quiet']);
  t.is(exitCode, 0, stderr);
  return output;
}
