/**
 * Measures loading of feeds: from opening the file to the ready index, in a process of its own that has loaded nothing before.
 *
 *   node --import tsx bench/feeds.ts [ENTRIES] [ROUNDS] [SHAPE...]
 *
 * Makes a feed of each shape (200,000 entries without ENTRIES) in a temporary folder and loads each once a round (5) with the
 * built tlsnap. Shapes are those that start with one of SHAPE. On a busy machine look at the processor time.
 */
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { execa } from 'execa';
import { FEED_SHAPES } from './feed-shapes.js';
import { spreadOf, spreadText } from './spread.js';

const [entries = '200000', rounds = '5', ...wanted] = process.argv.slice(2);
const folder = mkdtempSync(join(tmpdir(), 'tlsnap-bench-'));
try {
  const feeds = makeFeeds(folder, Number(entries));
  const loads = new Map(feeds.map((feed) => [feed, [] as Load[]]));
  for (let round = 0; round < Number(rounds); round++) {
    for (const feed of feeds) loads.get(feed)?.push(await load(feed.path, Number(entries)));
  }
  for (const [{ shape, path }, each] of loads) {
    const text = (figure: keyof Load): string => spreadText(spreadOf(each.map((one) => one[figure])), 2);
    const size = Math.round(statSync(path).size / 1e6);
    console.log(`${shape}, ${size} MB: ${text('wall')} s, ${text('processor')} s of processor time`);
  }
} finally {
  rmSync(folder, { recursive: true });
}

interface Feed {
  readonly shape: string;
  readonly path: string;
}

/** Seconds. */
interface Load {
  readonly wall: number;
  readonly processor: number;
}

function makeFeeds(place: string, size: number): Feed[] {
  const shapes = Object.entries(FEED_SHAPES).filter(
    ([shape]) => wanted.length === 0 || wanted.some((start) => shape.startsWith(start)),
  );
  return shapes.map(([shape, textOf], at) => {
    const path = join(place, `feed-${at}`);
    writeFileSync(path, textOf(size));
    return { shape, path };
  });
}

async function load(path: string, size: number): Promise<Load> {
  const built = (file: string): string =>
    JSON.stringify(pathToFileURL(resolve(import.meta.dirname, '../dist/intel', file)));
  const { stdout } = await execa(process.execPath, [
    '--input-type=module',
    '--eval',
    `
    import { IndicatorIndex } from ${built('indicator-index.js')};
    import { loadFeeds } from ${built('load.js')};
    const start = performance.now();
    const before = process.cpuUsage();
    const index = new IndicatorIndex(await loadFeeds([${JSON.stringify(path)}]));
    const wall = (performance.now() - start) / 1000;
    const { user, system } = process.cpuUsage(before);
    console.log(JSON.stringify({ wall, processor: (user + system) / 1e6, size: index.size }));
  `,
  ]);
  const result = JSON.parse(stdout) as Load & { readonly size: number };
  if (result.size !== size) throw new Error(`${path}: ${result.size} of ${size} indicators`);
  return result;
}
