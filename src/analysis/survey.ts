import type { Snapshot } from '../snapshot/reader.js';
import { rederive } from '../snapshot/rederivation.js';
import type { Handshake } from '../snapshot/schema/handshake.js';
import type { Host } from '../snapshot/schema/host.js';
import type { Process } from '../snapshot/schema/process.js';
import type { Socket } from '../snapshot/schema/socket.js';
import { FingerprintCache } from '../tls/fingerprint-cache.js';
import { NormalForms, type NormalForm } from './normal-form.js';

/** Looks at a whole snapshot: host, processes and sockets first, so that a hello's process is known when it comes. */
export interface Observer {
  host?(host: Host): void;
  process?(row: Process): void;
  socket?(row: Socket): void;
  hello?(hello: SurveyedHello): void;
}

/** A hello with what its raw bytes give; what was recorded of it is not believed. */
export interface SurveyedHello {
  readonly row: Handshake;
  /** A client's normal form; null for a server's hello, and where the bytes give none. */
  readonly form: NormalForm | null;
  /** Whether the observed process sent it; an imported hello, of which nobody knows, counts as sent. */
  readonly sent: boolean;
}

export interface Surveyed {
  readonly handshakes: number;
  /** Hellos with something recorded that the raw bytes do not give. */
  readonly differing: number;
}

/** Reads a snapshot for its observers, in two passes and in bounded memory. */
export async function survey(snapshot: Snapshot, observers: readonly Observer[]): Promise<Surveyed> {
  const host = await snapshot.host();
  if (host) for (const observer of observers) observer.host?.(host);
  for await (const batch of snapshot.batches(['processes', 'sockets'])) {
    for (const observer of observers) {
      if (batch.member === 'processes') for (const row of batch.rows) observer.process?.(row);
      else for (const row of batch.rows) observer.socket?.(row);
    }
  }
  const [cache, forms] = [new FingerprintCache(), new NormalForms()];
  const counts = { handshakes: 0, differing: 0 };
  for await (const rows of snapshot.rows('handshakes')) {
    for (const row of rows) {
      const hello = surveyed(row, cache, forms, counts);
      for (const observer of observers) observer.hello?.(hello);
    }
  }
  return counts;
}

function surveyed(
  row: Handshake,
  cache: FingerprintCache,
  forms: NormalForms,
  counts: { handshakes: number; differing: number },
): SurveyedHello {
  const { derived, differences } = rederive(row, cache);
  const { tls, fingerprints } = derived;
  counts.handshakes += 1;
  if (differences.length > 0) counts.differing += 1;
  // What follows a HelloRetryRequest is an answer to the server, and no new choice of the client.
  const own = row.kind === 'client' && fingerprints && !row.hello.afterRetry;
  return {
    row: differences.length === 0 ? row : { ...row, tls, fingerprints },
    form: own ? forms.client(row.hello.raw, row.transport, fingerprints) : null,
    sent: row.role === null || row.role === row.kind,
  };
}
