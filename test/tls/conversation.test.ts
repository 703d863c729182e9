import test from 'ava';
import { Conversation, type ConversationHello } from '../../src/tls/conversation.js';
import {
  ascii,
  bytes,
  CHANGE_CIPHER_SPEC,
  clientHello,
  concat,
  record,
  records,
  RETRY_RANDOM,
  serverHello,
} from './wire.js';

const CLIENT = records(clientHello());
const SECOND_CLIENT = concat(CHANGE_CIPHER_SPEC, records(clientHello({ cipherSuites: [0x1301] })));
const RETRY = records(serverHello({ random: RETRY_RANDOM }));
const SERVER = records(serverHello());

const marks = (hellos: readonly ConversationHello[]): string =>
  hellos
    .map(({ direction, kind, afterRetry, helloRetryRequest }) =>
      [direction, helloRetryRequest ? 'retry' : kind, ...(afterRetry ? ['after'] : [])].join(' '),
    )
    .join(', ');

test('a conversation is done with both hellos', (t) => {
  const conversation = new Conversation();
  t.is(marks(conversation.push(0, 0, CLIENT)), '0 client');
  t.false(conversation.done);
  t.is(marks(conversation.push(1, 0, SERVER)), '1 server');
  t.true(conversation.done);
  t.deepEqual(conversation.push(0, CLIENT.length, CLIENT), []);
});

test('the hellos after a HelloRetryRequest are marked', (t) => {
  const conversation = new Conversation();
  const found = [
    ...conversation.push(0, 0, CLIENT),
    ...conversation.push(1, 0, RETRY),
    ...conversation.push(0, CLIENT.length, SECOND_CLIENT),
    ...conversation.push(1, RETRY.length, SERVER),
  ];
  t.is(marks(found), '0 client, 1 retry, 0 client after, 1 server after');
  t.true(conversation.done);
});

test('a retry is marked whichever direction is seen first, and where the request was not captured', (t) => {
  const clientFirst = new Conversation();
  const found = [
    ...clientFirst.push(0, 0, concat(CLIENT, SECOND_CLIENT)),
    ...clientFirst.push(1, 0, concat(RETRY, SERVER)),
  ];
  t.is(marks(found), '0 client, 0 client after, 1 retry, 1 server after');
  t.true(clientFirst.done);

  const serverFirst = new Conversation();
  const reversed = [
    ...serverFirst.push(1, 0, concat(RETRY, SERVER)),
    ...serverFirst.push(0, 0, concat(CLIENT, SECOND_CLIENT)),
  ];
  t.is(marks(reversed), '1 retry, 1 server after, 0 client, 0 client after');
  t.true(serverFirst.done);

  const oneSided = new Conversation();
  t.is(marks(oneSided.push(0, 0, concat(CLIENT, SECOND_CLIENT))), '0 client, 0 client after');
});

test('segments out of order come out in order', (t) => {
  const conversation = new Conversation();
  t.deepEqual(conversation.push(0, 20, CLIENT.subarray(20)), []);
  const [hello] = conversation.push(0, 0, CLIENT.subarray(0, 20));
  t.like(hello, { complete: true, segments: 2 });
});

test('at the end, holes are given up and unfinished hellos come out', (t) => {
  const conversation = new Conversation();
  conversation.push(0, 0, CLIENT.subarray(0, 30));
  conversation.push(0, 40, CLIENT.subarray(40));
  conversation.push(1, 0, ascii('220 ready\r\n'));
  conversation.push(1, 500, SERVER);
  const found = conversation.end();
  t.is(marks(found), '0 client, 1 server');
  t.deepEqual(
    found.map(({ complete, streamOffset }) => [complete, streamOffset]),
    [
      [false, 0],
      [true, 500],
    ],
  );
  t.is(conversation.stream(0).missingBytes, 10);
});

test('a connection without hellos is done when both budgets are used up', (t) => {
  const conversation = new Conversation({ finder: { segmentBudget: 2 } });
  for (let turn = 0; turn < 2; turn++) {
    conversation.push(0, turn * 5, ascii('hello'));
    t.false(conversation.done);
    conversation.push(1, turn * 5, ascii('hello'));
  }
  t.true(conversation.done);
});

test('application data before a hello in the middle of a captured connection does no harm', (t) => {
  const conversation = new Conversation();
  conversation.joinAt(0, 7000);
  t.deepEqual(conversation.push(0, 7000, record(23, bytes(1, 2, 3))), []);
  t.is(conversation.push(0, 7008, CLIENT).length, 1);
});
