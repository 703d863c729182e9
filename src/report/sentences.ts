import type { Hit } from '../intel/hit.js';
import { formatEndpoint } from '../snapshot/address-text.js';
import { exitText } from '../snapshot/exit-text.js';
import type { Handshake } from '../snapshot/schema/handshake.js';
import type { Process } from '../snapshot/schema/process.js';
import { printable } from '../terminal.js';

/**
 * One line that says what happened, for people who read a list of events. Names in it were chosen by others: control
 * and bidirectional characters are written as escapes.
 */
export function handshakeSentence({ kind, process, flow, tls, fingerprints, hello }: Handshake): string {
  const who = process?.pid == null ? 'an unknown process' : `${process.comm ?? '?'} (pid ${process.pid})`;
  const what = tls?.helloRetryRequest ? 'HelloRetryRequest' : kind === 'client' ? 'ClientHello' : 'ServerHello';
  const prints =
    kind === 'client'
      ? [named('JA3', fingerprints?.ja3), named('JA4', fingerprints?.ja4)]
      : [named('JA3S', fingerprints?.ja3s)];
  const parts = [
    `${tls?.version ?? 'TLS'} ${what}${hello.afterRetry ? ' after a retry' : ''}`,
    `from ${formatEndpoint(flow.src, flow.srcPort)} to ${formatEndpoint(flow.dst, flow.dstPort)}`,
    ...(tls?.serverName == null ? [] : [`for ${tls.serverName}`]),
    ...(process === null ? [] : [`seen by ${who}`]),
    ...prints.filter((part) => part !== null),
  ];
  return printable(parts.join(', '));
}

export function processSentence({ pid, comm, exe, cmdline, exitCode }: Process, ended: boolean): string {
  const command = cmdline === null || cmdline.length === 0 ? (exe ?? '?') : cmdline.join(' ');
  const who = `process ${comm ?? '?'} (pid ${pid})`;
  const text = ended
    ? `${who} ended${exitCode === null ? '' : `, ${exitText(exitCode)}`}`
    : `${who} first took part in a connection: ${command}`;
  return printable(text.length > MAX_SENTENCE ? `${text.slice(0, MAX_SENTENCE)}…` : text);
}

export function hitSentence({ confidence, indicator, feed }: Hit): string {
  const { type, value, description, line } = indicator;
  return printable(`${confidence}: ${type} ${value}${description ? ` (${description})` : ''}, ${feed} line ${line}`);
}

function named(name: string, value: string | undefined): string | null {
  return value === undefined ? null : `${name} ${value}`;
}

const MAX_SENTENCE = 1000;
