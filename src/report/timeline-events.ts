import type { Hit } from '../intel/hit.js';
import type { Handshake } from '../snapshot/schema/handshake.js';
import type { Process } from '../snapshot/schema/process.js';
import { type MarkedBatch, NO_HITS } from './renderer.js';
import { handshakeSentence, processSentence } from './sentences.js';

/** A moment in a timeline of other tools, which know neither hellos nor processes. */
export type TimelineEvent = HandshakeEvent | ProcessEvent;

interface EventFacts {
  /** RFC 3339, nanoseconds. */
  readonly time: string;
  /** What the time is the time of. */
  readonly meaning: string;
  readonly message: string;
  readonly hits: readonly Hit[];
}

export interface HandshakeEvent extends EventFacts {
  readonly handshake: Handshake;
  readonly process: null;
}

export interface ProcessEvent extends EventFacts {
  readonly handshake: null;
  readonly process: Process;
}

/**
 * Handshakes in the order of the timeline, and behind them what is known of processes: both ends of their lives. Who
 * reads it sorts it by time.
 */
export function timelineEvents({ member, rows, hits }: MarkedBatch): TimelineEvent[] {
  if (member === 'handshakes') return rows.map((row, at) => handshakeEvent(row, hits?.[at] ?? NO_HITS));
  if (member === 'processes') return rows.flatMap((row, at) => processEvents(row, hits?.[at] ?? NO_HITS));
  return [];
}

function handshakeEvent(handshake: Handshake, hits: readonly Hit[]): HandshakeEvent {
  const { time, kind } = handshake;
  const meaning = kind === 'client' ? 'TLS ClientHello seen' : 'TLS ServerHello seen';
  return { time, meaning, message: handshakeSentence(handshake), hits, handshake, process: null };
}

function processEvents(process: Process, hits: readonly Hit[]): ProcessEvent[] {
  const { firstSeen, exited } = process;
  const events: ProcessEvent[] = [];
  if (firstSeen !== null) events.push(processEvent(process, firstSeen, false, hits));
  // A hit is told once: with the first moment that is known.
  if (exited !== null) events.push(processEvent(process, exited, true, firstSeen === null ? hits : NO_HITS));
  if (events.length === 0 && hits.length > 0 && process.readAt !== null) {
    const message = processSentence(process, false);
    events.push({ time: process.readAt, meaning: 'Process read', message, hits, handshake: null, process });
  }
  return events;
}

function processEvent(process: Process, time: string, ended: boolean, hits: readonly Hit[]): ProcessEvent {
  const meaning = ended ? 'Process exited' : 'Process first seen in a connection';
  return { time, meaning, message: processSentence(process, ended), hits, handshake: null, process };
}
