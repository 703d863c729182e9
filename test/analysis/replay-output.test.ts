import test from 'ava';
import { parse } from 'csv-parse/sync';
import fc from 'fast-check';
import stringWidth from 'string-width';
import type { HelloSeen, ReplayEvent, ReplayProcess } from '../../src/analysis/replay-event.js';
import { replayOutput } from '../../src/analysis/replay-output.js';
import { timeAt } from '../snapshot/sample.js';
import { madeHello, realHello } from './made-snapshot.js';

test('a table fits its terminal whatever the snapshot says, and no control character reaches it', (t) => {
  const text = fc.string({ unit: 'binary', maxLength: 200 });
  fc.assert(
    fc.property(fc.array(text, { minLength: 6, maxLength: 6 }), fc.integer({ min: 70, max: 200 }), (texts, width) => {
      const output = replayOutput('table', width, false);
      for (const line of (output.head + output.text(eventsOf(texts))).split('\n')) {
        t.true(stringWidth(line) <= width, line);
        t.notRegex(line, /[\p{Cc}\u202a-\u202e]/u);
      }
    }),
  );
});

test('where there is no terminal a table has everything, and columns stand below each other', (t) => {
  const output = replayOutput('table', null, false);
  const name = 'n'.repeat(300);
  const lines = output.text(eventsOf(['curl', '/usr/bin/curl', name, 'x', 'y', 'z'])).split('\n');
  t.true(lines.some((line) => line.includes(name)));
  t.is(lines.find((line) => line.includes('process'))?.indexOf('process'), output.head.indexOf('event'));
});

test('colours are there only where they are asked for, and reset on each line', (t) => {
  const events = eventsOf(['curl', '/usr/bin/curl', 'a.example', 'x', 'y', 'z']);
  t.false(replayOutput('table', 120, false).text(events).includes('\u001b'));
  const colored = replayOutput('table', 120, true).text(events);
  for (const line of colored.split('\n')) {
    if (line.includes('\u001b[')) t.regex(line, /^\u001b\[[\d;]+m[^\u001b]*\u001b\[0m$/);
  }
  t.regex(colored, /^\u001b\[1;31m.*MATCH/m);
});

test('the day is told once, and again when it changes', (t) => {
  const output = replayOutput('table', 120, false);
  const [process] = eventsOf(['a', 'b', 'c', 'd', 'e', 'f']);
  if (!process) return;
  const days = ['2026-11-22', '2026-11-22', '2026-11-23'].map((day) => ({
    ...process,
    time: `${day}T00:00:00.000000000Z`,
  }));
  const lines = days.flatMap((event) => output.text([event]).trimEnd().split('\n'));
  t.deepEqual(
    lines.filter((line) => /^\d{4}-/.test(line)),
    ['2026-11-22', '2026-11-23'],
  );
});

test('NDJSON is one event a line, and CSV has the same columns for every event, safe for a spreadsheet', (t) => {
  const events = eventsOf(["=cmd|' /C calc'!A0", '/tmp/\r\n=1', '@name', 'x', 'y', 'z']);
  const ndjson = replayOutput('ndjson', null, false).text(events).trimEnd().split('\n');
  t.deepEqual(
    ndjson.map((line) => JSON.parse(line) as unknown),
    JSON.parse(JSON.stringify(events)),
  );
  const output = replayOutput('csv', null, false);
  const rows = parse<Record<string, string>>(output.head + output.text(events), {
    columns: true,
    record_delimiter: '\n',
  });
  t.deepEqual(
    rows.map(({ type }) => type),
    events.map(({ type }) => type),
  );
  t.like(rows[0], { comm: "'=cmd|' /C calc'!A0", exe: '/tmp/\r\n=1' });
  t.like(rows[1], { server_name: "'@name", as_recorded: 'true', as_in_kernel: '' });
  t.like(rows[4], { exit_code: '9' });
});

/** One event of each kind, with texts that an attacker chose. */
function eventsOf([
  comm = '',
  exe = '',
  name = '',
  arg = '',
  description = '',
  container = '',
]: string[]): ReplayEvent[] {
  const row = madeHello({ message: realHello('curl').message, process: { comm, exe } });
  const { pid, startTimeNs } = row.process;
  const process: ReplayProcess = {
    ...{ pid: 17, startTimeNs: '5', ppid: 1, uid: 0, comm, exe, exeDeleted: true, exeMemfd: false },
    ...{ exeSha256: null, exeHashedFrom: null, cmdline: [comm, arg], container },
  };
  const { seq, kind, role, transport, flow, fingerprints, error } = { seq: 0, ...row };
  const hello: HelloSeen = {
    ...{ type: 'handshake', time: timeAt(1n), seq, kind, role, transport, flow, process: row.process, error },
    ...{ afterRetry: false, complete: true, fingerprints, asRecorded: true, asInKernel: null },
    tls: row.tls && { ...row.tls, serverName: name },
  };
  const indicator = {
    type: 'ja3' as const,
    value: 'ab',
    line: 3,
    description,
    firstSeen: null,
    lastSeen: null,
    listed: null,
  };
  const hit = {
    ...{
      time: timeAt(1n),
      confidence: 'low' as const,
      why: [description],
      feed: name,
      feedFormat: 'plain-list',
      indicator,
    },
    ...{ matched: { field: 'ja3', value: 'ab', form: null }, event: 0, kind, serverName: name, flow },
    process: pid === null ? null : { pid, startTimeNs, comm, exe },
  };
  return [
    { type: 'process', time: timeAt(0n), process },
    hello,
    {
      type: 'differs',
      time: timeAt(1n),
      seq,
      differences: [{ field: 'tls.serverName', recorded: name, derived: null }],
    },
    { type: 'match', time: timeAt(1n), hit },
    { type: 'exit', time: timeAt(2n), process, exitCode: 9 },
  ];
}
