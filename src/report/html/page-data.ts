/**
 * What a page shows, as it is embedded in it as JSON. All text in it was made printable before: control, bidirectional
 * and invisible characters are written as escapes.
 */
export interface PageData {
  readonly title: string;
  readonly subtitle: string;
  readonly figures: readonly Figure[];
  readonly facts: readonly Fact[];
  readonly coverage: readonly CoverageLine[];
  readonly timeline: Timeline;
  readonly tree: ProcessTree;
  readonly tables: readonly Table[];
  readonly footer: readonly string[];
}

export interface Figure {
  readonly label: string;
  readonly value: string;
  readonly tone: Tone;
}

export interface Fact {
  readonly label: string;
  readonly value: string;
  /** Digests and the like. */
  readonly mono?: boolean;
}

export interface CoverageLine {
  readonly text: string;
  readonly tone: Tone;
}

export type Tone = 'plain' | 'good' | 'warn' | 'bad';

/** How many hellos were seen when. */
export interface Timeline {
  /** Start of the first interval, in ms since 1970. */
  readonly startMs: number;
  readonly stepMs: number;
  readonly client: readonly number[];
  readonly server: readonly number[];
  /** Hellos that a feed names. */
  readonly hit: readonly number[];
}

export interface ProcessTree {
  /** A parent comes before its children. */
  readonly nodes: readonly ProcessNode[];
  /** What is not shown, if anything. */
  readonly note: string | null;
}

export interface ProcessNode {
  /** Index of the parent in `nodes`; -1 for none. */
  readonly parent: number;
  readonly pid: number;
  readonly comm: string;
  readonly exe: string | null;
  readonly cmdline: string | null;
  readonly uid: number | null;
  readonly flags: readonly string[];
  readonly client: number;
  readonly server: number;
  readonly hits: number;
  readonly groups: readonly HelloGroup[];
  /** Hellos that are in no group. */
  readonly more: number;
}

/** Equal hellos of one process: the same fingerprint, name and peer. */
export interface HelloGroup {
  readonly kind: 'client' | 'server';
  readonly fingerprint: string;
  readonly name: string | null;
  readonly peer: string;
  readonly count: number;
  readonly first: string;
}

export interface Table {
  readonly id: string;
  readonly title: string;
  readonly columns: readonly TableColumn[];
  readonly rows: readonly (readonly Cell[])[];
  /** What is not shown, or why there is nothing. */
  readonly note: string | null;
}

export interface TableColumn {
  readonly title: string;
  readonly kind: 'text' | 'prose' | 'mono' | 'number' | 'time' | 'tone';
}

export type Cell = string | number | null;
