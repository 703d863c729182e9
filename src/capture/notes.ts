import type { Scope } from '../native/scope.js';
import type { Counters } from '../native/session.js';
import type { Action } from '../snapshot/schema/action.js';
import type { Host } from '../snapshot/schema/host.js';
import type { Manifest } from '../snapshot/schema/manifest.js';
import type { Process } from '../snapshot/schema/process.js';
import type { Socket } from '../snapshot/schema/socket.js';

type Clocks = NonNullable<Manifest['clocks']>;

/** What a capture writes into its spool beside the kernel's records: one JSON object a frame. */
export type Note =
  | StartNote
  | { readonly note: 'process'; readonly row: Process }
  | { readonly note: 'sockets'; readonly rows: Socket[] }
  | { readonly note: 'cgroups'; readonly paths: Record<string, string> }
  | { readonly note: 'host'; readonly host: Host }
  | { readonly note: 'action'; readonly action: Action }
  | { readonly note: 'counters'; readonly counters: Counters }
  | { readonly note: 'limit'; readonly text: string }
  /** Programs that are on their hooks no longer, all of them each time there is another one. */
  | { readonly note: 'detached'; readonly programs: readonly string[] }
  | EndNote;

/** The first frame: all that is known when the programs are on their hooks. */
export interface StartNote {
  readonly note: 'start';
  readonly spoolVersion: 1;
  /** A window that was kept open, or what a flight recorder held when it was dumped. */
  readonly source: 'live' | 'recorder';
  readonly toolVersion: string;
  readonly case: Manifest['case'];
  /** The host before the window. */
  readonly host: Host;
  /** ISO 8601 duration; null where no end was set. */
  readonly asked: string | null;
  readonly clocks: Clocks['start'];
  readonly tier: string;
  readonly features: readonly string[];
  readonly missing: readonly string[];
  /** Path of the cgroup that is watched, below the cgroup2 root; `/` for the whole host. */
  readonly cgroup: string;
  readonly scope: Scope;
  /** Age recipients of the snapshot; nobody, and it is in the clear, where there are none. */
  readonly encryptTo: readonly string[];
  /** Patterns of what is taken out of command lines and environments when the snapshot is made (redaction.ts). */
  readonly redact: readonly string[];
}

/** The last frame. Where it is missing, the capture was killed. */
export interface EndNote {
  readonly note: 'end';
  readonly endedBy: Manifest['window']['endedBy'];
  readonly clocks: Clocks['end'];
}
