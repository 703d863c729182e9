import test from 'ava';
import type { Hit } from '../../src/intel/hit.js';
import { type Connection, Connections } from '../../src/report/connections.js';
import type { Handshake } from '../../src/snapshot/schema/handshake.js';
import { handshakeAt } from '../snapshot/sample.js';

test('a server answers the client of the same socket, and loopback is two connections', (t) => {
  const connections = new Connections();
  const [here, there] = ['1', '2'];
  t.deepEqual(connections.take(hello(0, 'client', here), []), []);
  t.deepEqual(connections.take(hello(1, 'client', there), []), []);
  t.deepEqual(seqs(connections.take(hello(2, 'server', there), [])), [[1, 2]]);
  t.deepEqual(seqs(connections.take(hello(3, 'server', here), [])), [[0, 3]]);
  t.deepEqual([...connections.end()], []);
});

test('a retry is no answer, and the hello after it is not the first', (t) => {
  const connections = new Connections();
  connections.take(hello(0, 'client', '1'), []);
  t.deepEqual(connections.take(hello(1, 'server', '1', { retry: true }), []), []);
  t.deepEqual(connections.take(hello(2, 'client', '1', { afterRetry: true }), []), []);
  t.deepEqual(seqs(connections.take(hello(3, 'server', '1'), [])), [[0, 3]]);
});

// RFC 8446, section 4.1.4: ClientHello, HelloRetryRequest, ClientHello, ServerHello are one connection.
test('what hit any of the four hellos of a retry hit the connection', (t) => {
  const retried = (connections: Connections, first: number) => [
    ...connections.take(hello(first, 'server', '1', { retry: true }), [hit('retry')]),
    ...connections.take(hello(first + 1, 'client', '1', { afterRetry: true }), [hit('second')]),
  ];
  const answered = new Connections();
  answered.take(hello(0, 'client', '1'), [hit('first')]);
  t.deepEqual(retried(answered, 1), []);
  const [whole] = answered.take(hello(3, 'server', '1'), [hit('answer')]);
  t.deepEqual(names(whole), ['first', 'retry', 'second', 'answer']);
  const without = new Connections();
  without.take(hello(0, 'client', '1'), [hit('first')]);
  retried(without, 1);
  t.deepEqual([...without.end()].map(names), [['first', 'retry', 'second']]);
  // The window may start between the first hello and the retry.
  const late = new Connections();
  t.deepEqual(retried(late, 0), []);
  const [half] = late.take(hello(2, 'server', '1'), []);
  t.deepEqual([half?.client?.seq, half?.server?.seq, names(half)], [1, 2, ['retry', 'second']]);
  const alone = new Connections();
  alone.take(hello(0, 'server', '1', { retry: true }), [hit('retry')]);
  t.deepEqual([...alone.end()].map(names), [['retry']]);
});

test('a server alone, a client alone, and the oldest of too many are connections too', (t) => {
  const connections = new Connections(2);
  t.deepEqual(seqs(connections.take(hello(0, 'server', '1'), [])), [[null, 0]]);
  connections.take(hello(1, 'client', '1'), []);
  connections.take(hello(2, 'client', '2'), []);
  t.deepEqual(seqs(connections.take(hello(3, 'client', '3'), [])), [[1, null]]);
  t.deepEqual(seqs(connections.take(hello(4, 'client', '3'), [])), [[3, null]]);
  t.deepEqual(seqs([...connections.end()]), [
    [2, null],
    [4, null],
  ]);
});

test('of many that wait the oldest are given up together, each once and in their order', (t) => {
  const connections = new Connections(192);
  const given = Array.from({ length: 200 }, (_, seq) => seqs(connections.take(hello(seq, 'client', String(seq)), [])));
  t.deepEqual(given.slice(0, 192).flat(), []);
  t.deepEqual(given[192], [
    [0, null],
    [1, null],
    [2, null],
  ]);
  const all = [...given.flat(), ...seqs([...connections.end()])];
  t.deepEqual(
    all,
    Array.from({ length: 200 }, (_, seq) => [seq, null]),
  );
});

function seqs(found: ReturnType<Connections['take']>): (number | null)[][] {
  return found.map(({ client, server }) => [client?.seq ?? null, server?.seq ?? null]);
}

function names(connection: Connection | undefined): string[] {
  return connection?.hits.map(({ feed }) => feed) ?? [];
}

function hit(feed: string): Hit {
  return {
    ...{ time: null, confidence: 'low', why: [], feed, feedFormat: 'plain-list' },
    indicator: { type: 'ip', value: '', line: 1, description: '', firstSeen: null, lastSeen: null, listed: null },
    matched: { field: 'flow.dst', value: '', form: null },
    ...{ event: 0, kind: null, serverName: null, process: null, flow: null },
  };
}

function hello(
  seq: number,
  kind: 'client' | 'server',
  cookie: string,
  { retry = false, afterRetry = false } = {},
): Handshake {
  const row = handshakeAt(BigInt(seq));
  const client = { src: '127.0.0.1', srcPort: 40000, dst: '127.0.0.1', dstPort: 443 };
  const server = { src: '127.0.0.1', srcPort: 443, dst: '127.0.0.1', dstPort: 40000 };
  return {
    ...row,
    seq,
    kind,
    flow: { ...(kind === 'client' ? client : server), netns: 1, cookie },
    hello: { ...row.hello, afterRetry },
    tls: row.tls && { ...row.tls, ...(retry && { helloRetryRequest: true }) },
  };
}
