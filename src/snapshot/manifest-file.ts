import { isUtf8 } from 'node:buffer';
import { TlsnapError } from '../errors.js';
import { duplicateKey } from './duplicate-key.js';
import { bodyRank, EXECUTABLES, HOST, isKnownMember, MANIFEST, ROW_MEMBERS } from './members.js';
import type { Host } from './schema/host.js';
import { FORMAT_VERSION } from './schema/format-version.js';
import type { Manifest } from './schema/manifest.js';
import { hostCheck, manifestCheck } from './schema/validators.js';

/**
 * Reads `manifest.json`. Throws a TlsnapError of kind `input`; `place` is what it calls the manifest.
 * A future format version is told apart from a broken manifest.
 */
export function parseManifest(bytes: Buffer, place: string): Manifest {
  const value = parseDocument(bytes, place);
  const { format, formatVersion } = (value ?? {}) as Record<string, unknown>;
  if (format !== 'tlsnap') throw new TlsnapError('input', place, 'not the manifest of a tlsnap snapshot');
  if (typeof formatVersion === 'number' && formatVersion > FORMAT_VERSION) {
    throw new TlsnapError('input', place, `format version ${formatVersion}; this tlsnap reads ${FORMAT_VERSION}`, [
      'Read it with a newer tlsnap.',
    ]);
  }
  const problem = manifestCheck()(value) ?? membersProblem(value as Manifest);
  if (problem !== undefined) throw new TlsnapError('input', place, problem);
  return value as Manifest;
}

/** Whether this is a manifest of a format that came after this build. */
export function isFutureFormat(bytes: Buffer): boolean {
  try {
    const value = parseDocument(bytes, MANIFEST) as Record<string, unknown> | null;
    return value?.['format'] === 'tlsnap' && Number(value['formatVersion']) > FORMAT_VERSION;
  } catch {
    return false;
  }
}

/** Reads `host.json`. Throws a TlsnapError of kind `input`. */
export function parseHost(bytes: Buffer, place: string): Host {
  const value = parseDocument(bytes, place);
  const problem = hostCheck()(value);
  if (problem !== undefined) throw new TlsnapError('input', place, problem);
  return value as Host;
}

function parseDocument(bytes: Buffer, place: string): unknown {
  if (!isUtf8(bytes)) throw new TlsnapError('input', place, 'not UTF-8');
  const text = bytes.toString('utf8');
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new TlsnapError('input', place, 'not JSON');
  }
  // One reader takes the first, another the last.
  const twice = duplicateKey(text);
  if (twice !== undefined)
    throw new TlsnapError('input', place, `an object has the key ${JSON.stringify(twice)} twice`);
  return value;
}

/** What no schema says of the list of members: its order, its completeness, and that each name is there once. */
function membersProblem({ members, source }: Manifest): string | undefined {
  const paths = members.map(({ path }) => path);
  const missing = [...ROW_MEMBERS, ...(source === 'pcap' ? [] : [HOST])].filter((path) => !paths.includes(path));
  if (missing.length > 0) return `/members lacks ${missing.join(', ')}`;
  if (source === 'pcap' && paths.includes(HOST)) return `/members lists ${HOST}, which no imported capture has`;
  const stranger = paths.find((path) => !isKnownMember(path) || bodyRank(path) === undefined);
  if (stranger !== undefined) return `/members lists ${JSON.stringify(stranger)}, which it may not`;
  const ranks = paths.map((path) => bodyRank(path) ?? '');
  if (ranks.some((rank, at) => at > 0 && rank <= (ranks[at - 1] ?? '')))
    return '/members is not in the order of the file';
  const misnamed = members.find(
    ({ path, sha256 }) => path.startsWith(EXECUTABLES) && path !== `${EXECUTABLES}${sha256}`,
  );
  return misnamed && `/members: ${misnamed.path} has another digest than its name`;
}
