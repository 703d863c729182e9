import type { SnapshotFacts } from './schema/manifest.js';

export const SUFFIX = '.tlsnap.tar.gz';

/** `HOST-UTC.tlsnap.tar.gz`, the default name of a snapshot; `start` is the window's start in RFC 3339. */
export function defaultFileName(hostname: string, start: string): string {
  return `${stem(hostname, start)}${SUFFIX}`;
}

/** The top folder inside of a snapshot: the default file name without its suffix. */
export function folderName(facts: Pick<SnapshotFacts, 'host' | 'source' | 'window'>): string {
  return `${stem(facts.host?.hostname ?? facts.source, facts.window.start)}.tlsnap`;
}

/** Whether a name may be a snapshot's top folder. */
export function isFolderName(name: string): boolean {
  return /^[A-Za-z0-9][A-Za-z0-9._-]{0,95}\.tlsnap$/.test(name);
}

function stem(hostname: string, start: string): string {
  // The host's name may be anything; a file's name must be harmless on every system.
  const host = hostname
    .replace(/[^A-Za-z0-9._-]+/g, '-')
    .slice(0, 63)
    .replace(/^[^A-Za-z0-9]+|[^A-Za-z0-9]+$/g, '');
  const utc = start.replace(/\.\d+Z$/, 'Z').replace(/[^0-9TZ]/g, '');
  return `${host === '' ? 'host' : host}-${utc}`;
}
