import { statfsSync, statSync } from 'node:fs';
import { access, constants } from 'node:fs/promises';
import { join } from 'node:path';
import type { HostRoots } from '../host/host-facts.js';
import { readBounded } from '../procfs/bounded-read.js';
import { errorCode } from '../procfs/field-errors.js';

/** What decides about BPF on this host and is no part of host.json. Null: not there, or not readable. */
export interface BpfFacts {
  /** Of the kernel's own types, in bytes. */
  readonly btfBytes: number | null;
  /** kernel.unprivileged_bpf_disabled: 0, 1 or 2. */
  readonly unprivilegedDisabled: number | null;
  /** net.core.bpf_jit_enable: 0, 1 or 2; only root may read it. */
  readonly jit: number | null;
  /** The soft limit on locked memory, in bytes; Infinity for none. */
  readonly memlock: number | null;
}

export function readBpfFacts({ proc, sys }: HostRoots): BpfFacts {
  const limits = textOf(join(proc, 'self/limits'));
  const memlock = /^Max locked memory\s+(\d+|unlimited)/m.exec(limits ?? '')?.[1];
  return {
    btfBytes: sizeOf(join(sys, 'kernel/btf/vmlinux')),
    unprivilegedDisabled: numberOf(textOf(join(proc, 'sys/kernel/unprivileged_bpf_disabled'))),
    jit: numberOf(textOf(join(proc, 'sys/net/core/bpf_jit_enable'))),
    memlock: memlock === undefined ? null : memlock === 'unlimited' ? Infinity : Number(memlock),
  };
}

/** A folder in which a snapshot would be written. */
export interface OutputFacts {
  readonly directory: string;
  /** Errno of what would fail; null where a file can be made there. */
  readonly fault: string | null;
  readonly freeBytes: number;
}

/** Asks, and writes nothing. */
export async function readOutputFacts(directory: string): Promise<OutputFacts> {
  try {
    await access(directory, constants.W_OK | constants.X_OK);
    const { bavail, bsize } = statfsSync(directory);
    return { directory, fault: null, freeBytes: bavail * bsize };
  } catch (error) {
    return { directory, fault: errorCode(error), freeBytes: 0 };
  }
}

function textOf(path: string): string | null {
  try {
    return readBounded(path, MAX_TEXT).bytes.toString('latin1');
  } catch {
    return null;
  }
}

function numberOf(text: string | null): number | null {
  return text !== null && /^\d{1,3}\s*$/.test(text) ? Number(text) : null;
}

function sizeOf(path: string): number | null {
  try {
    return statSync(path).size;
  } catch {
    return null;
  }
}

const MAX_TEXT = 65536;
