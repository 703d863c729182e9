import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, posix, resolve, sep } from 'node:path';
import test from 'ava';
import ts from 'typescript';

// The rules of docs/ARCHITECTURE.md, held against the imports of every file.

test('rooms depend on rooms of their own level or below', (t) => {
  const upward = modules.flatMap(({ path, imports }) =>
    imports.filter((name) => isOurs(name) && levelOf(name) > levelOf(path)).map((name) => `${path} -> ${name}`),
  );
  t.deepEqual(upward, []);
});

test('every room has a level', (t) => {
  const rooms = new Set(modules.map(({ path }) => roomOf(path)));
  t.deepEqual(
    [...rooms].filter((room) => !(room in LEVELS)),
    [],
  );
});

test('the document lists every room once, with the rooms that it imports', (t) => {
  const rows = [...read('docs/ARCHITECTURE.md').matchAll(/^\| (`src\/.*?) \|.*\| (.*?) ?\|$/gm)].map(
    ([, names = '', imported = '']) => ({
      rooms: [...names.matchAll(/`(src\/[^`]+)`/g)].map(([, path = '']) => roomOf(path)),
      imported: imported.split(', ').filter(Boolean),
    }),
  );
  t.deepEqual(rows.flatMap(({ rooms }) => [...new Set(rooms)]).sort(), Object.keys(LEVELS).sort());
  t.deepEqual(
    rows.map(({ rooms, imported }) => [rooms, imported]),
    rows.map(({ rooms }) => [rooms, importedRooms(rooms)]),
  );
});

test('no file imports itself by way of others', (t) => {
  t.deepEqual(cyclesAmong(new Map(modules.map(({ path, imports }) => [path, imports.filter(isOurs)]))), []);
});

test('no room imports itself by way of others', (t) => {
  const rooms = new Map<string, string[]>();
  for (const { path, imports } of modules) {
    const others = imports.filter((name) => isOurs(name) && roomOf(name) !== roomOf(path)).map(roomOf);
    rooms.set(roomOf(path), [...(rooms.get(roomOf(path)) ?? []), ...others]);
  }
  t.deepEqual(cyclesAmong(rooms), []);
});

test('tls and report do no input and output', (t) => {
  const impure = importsOf(/^src\/(?:tls|report)\//).filter(
    ([, name]) => name.startsWith('node:') && !PURE_BUILTINS.has(name),
  );
  t.deepEqual(impure, []);
});

test('nothing opens the network', (t) => {
  const network = importsOf(/./).filter(([, name]) => /^node:(?:http|https|http2|tls|dgram|dns|net)\b/.test(name));
  // The handshake by which doctor proves a capture, on loopback with itself; whether a text is an address; a type.
  t.deepEqual(network.map(([path]) => path).sort(), [
    'src/doctor/own-handshake.ts',
    'src/host/own-process.ts',
    'src/intel/values.ts',
    'src/snapshot/address-text.ts',
  ]);
  for (const [path, name] of network) {
    t.is(name, 'node:net');
    if (path !== 'src/doctor/own-handshake.ts')
      t.regex(read(path), /^import (?:type \{ Socket \}|\{ isIP \}) from 'node:net';$/m);
  }
  t.regex(read('src/doctor/own-handshake.ts'), /127\.0\.0\.1/);
  const called = modules.filter(({ text }) => /\bfetch\(|\bnew (?:WebSocket|EventSource|XMLHttpRequest)\b/.test(text));
  t.deepEqual(pathsOf(called), []);
});

test('only src/native names the addon', (t) => {
  const others = modules.filter(
    ({ path, text }) => roomOf(path) !== 'native' && /tlsnap\.node|process\.dlopen|native\/build/.test(text),
  );
  t.deepEqual(pathsOf(others), []);
});

test('default exports are commands', (t) => {
  const others = modules.filter(({ path, text }) => roomOf(path) !== 'commands' && /^export default /m.test(text));
  t.deepEqual(pathsOf(others), []);
});

test('commands stay below 100 lines', (t) => {
  const long = modules.filter(({ path, text }) => roomOf(path) === 'commands' && lineCount(text) >= 100);
  t.deepEqual(pathsOf(long), []);
});

test('no file of ours is longer than 400 lines', (t) => {
  const files = ['src', 'scripts', 'bpf', 'native', 'bench', 'test'].flatMap(filesBelow);
  const sources = files.filter((file) => /\.(?:ts|js|c|h|cc|cpp|hpp)$/.test(file) && !GENERATED.has(file));
  t.deepEqual(
    sources.filter((file) => lineCount(read(file)) > 400),
    [],
  );
});

test('files are named for what they hold', (t) => {
  const vague = filesBelow('src').filter((path) =>
    /(?:[-/]utils?|[-/]helpers?|\/common|\/misc|[-/]managers?)(?:\/|\.ts$)/.test(path),
  );
  t.deepEqual(vague, []);
});

interface Module {
  readonly path: string;
  readonly text: string;
  /** Paths below the project for files of ours; names as written for packages and Node's own modules. */
  readonly imports: readonly string[];
}

/** The rooms that these import, each other and the bottom level left out: `snapshot's types` where it is no more than that. */
function importedRooms(rooms: readonly string[]): string[] {
  const found = new Map<string, boolean>();
  for (const { path, text, imports } of modules.filter(({ path }) => rooms.includes(roomOf(path)))) {
    const types = new Set(
      [...text.matchAll(/^import type [^;]*? from '(\.[^']+)';$/gm)].map(([, name = '']) => pathOf(path, name)),
    );
    for (const name of imports.filter((name) => isOurs(name) && levelOf(name) > 0 && !rooms.includes(roomOf(name)))) {
      found.set(roomOf(name), (found.get(roomOf(name)) ?? true) && types.has(name));
    }
  }
  return [...found].map(([room, isTypes]) => (isTypes ? `${room}'s types` : room)).sort();
}

function readModule(path: string): Module {
  const text = read(path);
  const imports = ts
    .preProcessFile(text)
    .importedFiles.map(({ fileName }) => (fileName.startsWith('.') ? pathOf(path, fileName) : fileName));
  return { path, text, imports };
}

/** Of a file of ours that is imported by its relative name. */
function pathOf(importer: string, name: string): string {
  return posix.join(dirname(importer), name).replace(/\.js$/, '.ts');
}

/** Who imports what, of the modules whose path matches. */
function importsOf(where: RegExp): [path: string, imported: string][] {
  return modules
    .filter(({ path }) => where.test(path))
    .flatMap(({ path, imports }) => imports.map((name): [string, string] => [path, name]));
}

function pathsOf(found: readonly Module[]): string[] {
  return found.map(({ path }) => path);
}

function isOurs(name: string): boolean {
  return name.startsWith('src/');
}

/** `tls` of src/tls/reader.ts, `errors` of src/errors.ts. */
function roomOf(path: string): string {
  return (path.split('/')[1] ?? '').replace(/\.ts$/, '');
}

function levelOf(path: string): number {
  return LEVELS[roomOf(path)] ?? 0;
}

/** One path for each cycle, from a node to itself. */
function cyclesAmong(graph: ReadonlyMap<string, readonly string[]>): string[] {
  const done = new Set<string>();
  const cycles: string[] = [];
  const visit = (node: string, trail: readonly string[]): void => {
    if (trail.includes(node)) cycles.push([...trail.slice(trail.indexOf(node)), node].join(' -> '));
    if (trail.includes(node) || done.has(node)) return;
    for (const next of new Set(graph.get(node))) visit(next, [...trail, node]);
    done.add(node);
  };
  for (const node of graph.keys()) visit(node, []);
  return cycles;
}

function filesBelow(folder: string): string[] {
  return readdirSync(join(PROJECT, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) =>
      join(entry.parentPath, entry.name)
        .slice(PROJECT.length + 1)
        .split(sep)
        .join('/'),
    )
    .filter((path) => !path.includes('/build/') && !path.includes('/node_modules/'));
}

function read(path: string): string {
  return readFileSync(join(PROJECT, path), 'utf8');
}

function lineCount(text: string): number {
  return text.split('\n').length - 1;
}

/** Which room may import from which: from its own level or below. */
const LEVELS: Readonly<Record<string, number>> = {
  main: 5,
  commands: 4,
  command: 4,
  failure: 4,
  flags: 4,
  'write-report': 4,
  doctor: 3,
  capture: 3,
  analysis: 3,
  intel: 3,
  report: 3,
  snapshot: 2,
  pcap: 2,
  procfs: 2,
  host: 2,
  native: 2,
  tls: 1,
  csv: 0,
  errors: 0,
  terminal: 0,
  counted: 0,
  'byte-budget': 0,
  'half-made': 0,
  oldest: 0,
  'text-parts': 0,
};
const PURE_BUILTINS = new Set(['node:crypto', 'node:buffer', 'node:util']);
const GENERATED = new Set(['src/native/layout.ts', 'src/report/html/page-assets.ts', 'src/tls/iana.ts']);
const PROJECT = resolve(import.meta.dirname, '..');
const modules = filesBelow('src')
  .filter((path) => path.endsWith('.ts'))
  .map(readModule);
