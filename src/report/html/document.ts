import { createHash } from 'node:crypto';
import { PAGE_SCRIPT, PAGE_STYLE } from './page-assets.js';
import type { PageData } from './page-data.js';

/** The chart library's files, as they are published. */
export interface ChartLibrary {
  readonly script: string;
  readonly style: string;
  /** Its licence, word for word. */
  readonly licence: string;
}

/**
 * The page. What the snapshot says is in one block of JSON that no parser of HTML or JavaScript runs, and its script
 * writes it into the page as text only. Should something slip through, the policy of the page stops it: nothing is
 * loaded from anywhere, and no script runs but the two whose hashes it names (CSP Level 3, sections 6 and 8.3).
 */
export function* pageDocument(data: PageData, chart: ChartLibrary): Generator<string> {
  const style = `${chart.style}\n${PAGE_STYLE}`;
  yield `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy([chart.script, PAGE_SCRIPT], style)}">
<meta name="referrer" content="no-referrer">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="generator" content="tlsnap">
<title>${escaped(data.title)}</title>
<!-- The chart is drawn by uPlot:
${chart.licence.trim().replaceAll('--', '- -')}
-->
<style>${style}</style>
</head>
<body>
<noscript>This page shows its data with a script of its own; without scripts, read the snapshot with tlsnap.</noscript>
<main id="page"></main>
<script type="application/json" id="data">`;
  yield embedded(data);
  yield `</script>
<script>${chart.script}</script>
<script>${PAGE_SCRIPT}</script>
</body>
</html>
`;
}

/** JSON in which nothing can end or comment out the element around it. */
export function embedded(value: unknown): string {
  return JSON.stringify(value).replace(/[<>&\u2028\u2029]/g, (character) => {
    return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
  });
}

function policy(scripts: readonly string[], style: string): string {
  return [
    "default-src 'none'",
    `script-src ${scripts.map(hashSource).join(' ')}`,
    `style-src ${hashSource(style)}`,
    "base-uri 'none'",
    "form-action 'none'",
    "require-trusted-types-for 'script'",
    "trusted-types 'none'",
  ].join('; ');
}

function hashSource(text: string): string {
  return `'sha256-${createHash('sha256').update(text).digest('base64')}'`;
}

function escaped(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}
