import type { Capabilities, UserIds } from '../snapshot/schema/process.js';

/** What /proc/PID/status says (proc_pid_status(5)), as far as a snapshot keeps it. Null: the kernel does not print it. */
export interface ProcessStatus {
  tgid: number | null;
  uids: UserIds | null;
  gids: UserIds | null;
  groups: number[] | null;
  nsPids: number[] | null;
  threads: number | null;
  tracerPid: number | null;
  seccomp: 'disabled' | 'strict' | 'filter' | null;
  noNewPrivs: boolean | null;
  capabilities: Capabilities | null;
}

/** The kernel escapes newlines in `Name`, so every line is a field; of two with one name the first counts. */
export function parseStatus(text: string): ProcessStatus {
  const fields = new Map<string, string>();
  for (const line of text.split('\n')) {
    const colon = line.indexOf(':');
    if (colon < 1) continue;
    const name = line.slice(0, colon);
    if (!fields.has(name)) fields.set(name, line.slice(colon + 1).trim());
  }
  return {
    tgid: uint32(fields.get('Tgid')),
    uids: userIds(fields.get('Uid')),
    gids: userIds(fields.get('Gid')),
    groups: uint32List(fields.get('Groups')),
    nsPids: uint32List(fields.get('NSpid')),
    threads: uint32(fields.get('Threads')),
    tracerPid: uint32(fields.get('TracerPid')),
    seccomp: SECCOMP_MODES[uint32(fields.get('Seccomp')) ?? -1] ?? null,
    noNewPrivs: flag(fields.get('NoNewPrivs')),
    capabilities: capabilities(fields),
  };
}

function uint32(text: string | undefined): number | null {
  if (text === undefined || !/^\d{1,10}$/.test(text)) return null;
  const value = Number(text);
  return value <= 0xffff_ffff ? value : null;
}

function uint32List(text: string | undefined): number[] | null {
  if (text === undefined) return null;
  const values = text
    .split(/\s+/)
    .filter((item) => item !== '')
    .map(uint32);
  return values.every((value) => value !== null) ? values : null;
}

function userIds(text: string | undefined): UserIds | null {
  const [real, effective, saved, filesystem] = uint32List(text) ?? [];
  if (real === undefined || effective === undefined || saved === undefined || filesystem === undefined) return null;
  return { real, effective, saved, filesystem };
}

function flag(text: string | undefined): boolean | null {
  if (text === '0') return false;
  return text === '1' ? true : null;
}

function capabilities(fields: Map<string, string>): Capabilities | null {
  const mask = (name: string): string | null => {
    const text = fields.get(name);
    return text !== undefined && /^[0-9a-f]{1,16}$/.test(text) ? text : null;
  };
  const effective = mask('CapEff');
  if (effective === null) return null;
  return {
    inheritable: mask('CapInh'),
    permitted: mask('CapPrm'),
    effective,
    bounding: mask('CapBnd'),
    ambient: mask('CapAmb'),
  };
}

/** SECCOMP_MODE_*, from <linux/seccomp.h>. */
const SECCOMP_MODES: Record<number, 'disabled' | 'strict' | 'filter'> = { 0: 'disabled', 1: 'strict', 2: 'filter' };
