import test from 'ava';
import { startsHello } from '../../src/tls/record.js';
import { ascii, bytes, clientHello, concat, record, records, serverHello } from './wire.js';

const CLIENT = records(clientHello());

test('a hello is told by eleven bytes, and fewer leave it open', (t) => {
  for (let length = 0; length < CLIENT.length; length++) {
    t.is(startsHello(CLIENT.subarray(0, length), 0, true), length < 11 ? 'unknown' : 'yes', `${length} bytes`);
    t.is(startsHello(CLIENT.subarray(0, length), 0, false), length < 6 ? 'unknown' : 'yes', `${length} bytes`);
  }
});

test('a hello is told at any place of a buffer', (t) => {
  t.is(startsHello(concat(ascii('STARTTLS\r\n'), CLIENT), 10, true), 'yes');
  t.is(startsHello(concat(ascii('STARTTLS\r\n'), CLIENT), 9, true), 'no');
});

test('other records, other messages and other protocols are no hello', (t) => {
  const others = {
    'application data': record(23, clientHello()),
    certificate: record(22, concat(bytes(11), clientHello().subarray(1))),
    'an empty record': record(22, bytes()),
    'SSL 2': record(22, clientHello(), 0x0200),
    'TLS 1.4': record(22, clientHello(), 0x0305),
    http: ascii('GET / HTTP/1.1\r\n'),
  };
  for (const [name, data] of Object.entries(others)) t.is(startsHello(data, 0, false), 'no', name);
});

test('where anything may stand, length and version must be a hello’s', (t) => {
  const short = record(22, bytes(1, 0, 0, 5, 3, 3, 0, 0, 0, 0));
  const long = record(22, bytes(1, 0x7f, 0, 5, 3, 3, 0, 0, 0, 0));
  const version = record(22, bytes(1, 0, 1, 5, 9, 3, 0, 0, 0, 0));
  for (const data of [short, long, version]) {
    t.is(startsHello(data, 0, true), 'no');
    t.is(startsHello(data, 0, false), 'yes');
  }
});

test('a hello in records of one byte is possible anywhere', (t) => {
  t.is(startsHello(records(serverHello(), 1), 0, true), 'yes');
});
