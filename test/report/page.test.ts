import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import test, { type ExecutionContext } from 'ava';
import { type Browser, chromium, type Page } from 'playwright-core';
import ts from 'typescript';
import { generate } from '../../scripts/generate/report-page.js';
import { embedded } from '../../src/report/html/document.js';
import { PAGE_SCRIPT, PAGE_STYLE } from '../../src/report/html/page-assets.js';
import { writeReport } from '../../src/write-report.js';
import { testUnless } from '../left-out.js';
import { temporaryFolder } from '../snapshot/sample.js';
import { HOSTILE_NAMES, writeHostileSnapshot } from './hostile-snapshot.js';

const PROJECT = resolve(import.meta.dirname, '../..');
const CHROMIUM = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find(existsSync);
const noBrowser = CHROMIUM === undefined ? 'no chromium in /usr/bin' : undefined;

testUnless(noBrowser, 'nothing of a hostile snapshot runs, loads or breaks out', async (t) => {
  const { page, complaints, requests } = await open(t, {});
  t.is(await page.evaluate('globalThis.canary'), undefined);
  t.deepEqual(complaints, []);
  t.deepEqual(requests.slice(1), []);
  t.is(await page.locator('main script, main img, main svg, main iframe').count(), 0);
  t.is(await page.locator('script').count(), 3);
  // Every name is there to be read, with escapes for what cannot be seen.
  const text = await page.locator('main').innerText();
  for (const shown of [
    '</script><script>globalThis.canary=1',
    '<img src=x onerror=',
    'exe\\u{202e}txt.live',
    '\\x1b[31mred',
  ]) {
    t.true(text.includes(shown), shown);
  }
  t.notRegex(text, /[\u0000\u001b\u202e]/);
});

testUnless(noBrowser, 'should something slip through, the policy of the page stops it', async (t) => {
  const { page, complaints } = await open(t, {});
  await page.evaluate(() => {
    const dom = globalThis as unknown as {
      document: { createElement(tag: string): { text: string }; body: { append(node: unknown): void } };
    };
    const script = dom.document.createElement('script');
    try {
      script.text = 'globalThis.canary = 6';
      dom.document.body.append(script);
    } catch {
      // Trusted types refuse the assignment already.
    }
  });
  t.is(await page.evaluate('globalThis.canary'), undefined);
  t.regex(complaints.join('\n'), /Content Security Policy|TrustedScript/);
});

testUnless(noBrowser, 'search and sort find rows, and the tree shows processes under their parents', async (t) => {
  const { page } = await open(t, {});
  const table = page.locator('#handshakes');
  t.is(await table.locator('tbody tr').count(), HOSTILE_NAMES.length * 2);
  await table.locator('input').fill('onerror');
  t.is(await table.locator('tbody tr').count(), 2);
  t.regex(await table.locator('.status').innerText(), /2 of 44 rows/);
  await table.locator('input').fill('');
  await table.getByRole('button', { name: 'Seq' }).click();
  await table.getByRole('button', { name: 'Seq' }).click();
  t.is(await table.locator('tbody tr td').first().innerText(), '43');
  const tree = page.locator('#processes');
  t.is(await tree.locator('.process').first().locator('.comm').innerText(), 'systemd');
  t.is(await tree.locator('.tree > li > ul > li > ul > li').count(), HOSTILE_NAMES.length);
  await tree.locator('input').fill('calc');
  t.is(await tree.locator('.process:visible').count(), 3);
});

testUnless(noBrowser, 'the chart is drawn in both schemes, and a part of it narrows the table of hellos', async (t) => {
  for (const scheme of ['light', 'dark'] as const) {
    const { page } = await open(t, { scheme });
    await page.locator('canvas').waitFor();
    t.true(await coloured(page), scheme);
    await page.locator('.u-over').scrollIntoViewIfNeeded();
    const box = await page.locator('.u-over').boundingBox();
    if (!box) return t.fail('the chart has no place');
    await page.mouse.move(box.x + 2, box.y + 20);
    await page.mouse.down();
    await page.mouse.move(box.x + box.width / 30, box.y + 20, { steps: 4 });
    await page.mouse.up();
    t.regex(await page.locator('#handshakes .status').innerText(), /^\d+ of 44 rows/);
    await page.getByRole('button', { name: 'Show all' }).click();
    t.regex(await page.locator('#handshakes .status').innerText(), /^44 rows/);
  }
});

testUnless(noBrowser, 'a page of a large snapshot is bounded, and says what it left out', async (t) => {
  const { page } = await open(t, { handshakes: 8000, names: ['one', 'two'] });
  t.regex(await page.locator('#handshakes .note').innerText(), /more hellos are left out of this page/);
  t.is(await page.locator('#handshakes tbody tr').count(), 100);
  await page.locator('#handshakes .more').click();
  t.is(await page.locator('#handshakes tbody tr').count(), 600);
});

test('embedded JSON holds nothing that ends an element, and is the same value', (t) => {
  const value = { names: HOSTILE_NAMES };
  t.notRegex(embedded(value), /[<>&\u2028\u2029]/);
  t.deepEqual(JSON.parse(embedded(value)), value);
});

test("the page's script and style are fresh, and its sources have no type errors", async (t) => {
  const [source = ''] = [...(await generate(PROJECT)).values()];
  const evaluated = (await import(`data:text/javascript,${encodeURIComponent(source)}`)) as Record<string, string>;
  t.is(evaluated['PAGE_SCRIPT'], PAGE_SCRIPT, 'npm run generate writes it anew');
  t.is(evaluated['PAGE_STYLE'], PAGE_STYLE, 'npm run generate writes it anew');
  const config = join(PROJECT, 'src/report/page/tsconfig.json');
  const parsed = ts.getParsedCommandLineOfConfigFile(
    config,
    {},
    { ...ts.sys, onUnRecoverableConfigFileDiagnostic: () => undefined },
  );
  const program = ts.createProgram(parsed?.fileNames ?? [], parsed?.options ?? {});
  t.true((parsed?.fileNames.length ?? 0) > 3);
  t.deepEqual(
    ts.getPreEmitDiagnostics(program).map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, ' ')),
    [],
  );
});

interface Opened {
  readonly page: Page;
  /** What the browser wrote to its console. */
  readonly complaints: string[];
  readonly requests: string[];
}

async function open(
  t: ExecutionContext,
  settings: { scheme?: 'light' | 'dark'; handshakes?: number; names?: readonly string[] },
): Promise<Opened> {
  const folder = await temporaryFolder(t);
  const { scheme = 'light', ...contents } = settings;
  const { path } = await writeHostileSnapshot(folder, contents);
  const output = join(folder, 'report.html');
  await writeReport({ snapshot: path, format: 'html', table: undefined, feeds: [], as: undefined, output });
  const browser: Browser = await chromium.launch({ executablePath: CHROMIUM ?? '', args: ['--no-sandbox'] });
  t.teardown(() => browser.close());
  const page = await browser.newPage({ colorScheme: scheme, viewport: { width: 1400, height: 900 } });
  const [complaints, requests]: [string[], string[]] = [[], []];
  page.on('console', (message) => complaints.push(message.text()));
  page.on('pageerror', (error) => complaints.push(error.message));
  page.on('request', (request) => requests.push(request.url()));
  await page.goto(pathToFileURL(output).href);
  await page.locator('footer').waitFor();
  return { page, complaints, requests };
}

/** Whether some of the chart is the blue of a client's hello. */
function coloured(page: Page): Promise<boolean> {
  return page.evaluate<boolean>(`(() => {
    const canvas = document.querySelector('canvas');
    const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
    for (let at = 0; at < data.length; at += 4) if (data[at + 3] > 200 && data[at + 2] > data[at] + 60) return true;
    return false;
  })()`);
}
