import type { CoverageLine, Fact, Figure, PageData } from '../html/page-data.js';
import { chartSection } from './chart.js';
import { element, foreign, section } from './elements.js';
import { TableView } from './table.js';
import { treeSection } from './tree.js';

const data = JSON.parse(document.getElementById('data')?.textContent ?? '') as PageData;
const tables = new Map(data.tables.map((table) => [table.id, new TableView(table)]));
const chart = chartSection(data.timeline, (range) => {
  const [from, to] = range?.map(timeText) ?? [];
  // The time is the second column of the hellos.
  tables.get('handshakes')?.filter(from === undefined || to === undefined ? null : (row) => inRange(row[1], from, to));
});
const sections = [
  ...['findings', 'hits'].map((id) => tables.get(id)?.section),
  chart,
  treeSection(data.tree),
  ...['handshakes', 'fingerprints', 'map', 'sockets'].map((id) => tables.get(id)?.section),
].filter((each) => each !== undefined);

document
  .getElementById('page')
  ?.append(
    header(),
    figures(data.figures),
    element(
      'div',
      { class: 'pair' },
      section('case', 'Case', factList(data.facts)),
      section('coverage', 'Coverage', coverage(data.coverage)),
    ),
    ...sections,
    element('footer', {}, ...data.footer.map((line) => element('p', {}, line))),
  );

function header(): HTMLElement {
  const links = sections.map(({ id, ariaLabel }) => element('a', { href: `#${id}` }, ariaLabel ?? id));
  return element(
    'header',
    {},
    element('p', { class: 'brand' }, 'tlsnap report'),
    element('h1', {}, foreign(data.title)),
    element('p', { class: 'subtitle' }, data.subtitle),
    element('nav', { 'aria-label': 'Parts of this page' }, ...links),
  );
}

function figures(all: readonly Figure[]): HTMLElement {
  const cards = all.map(({ label, value, tone }) =>
    element('div', { class: `figure ${tone}` }, element('dt', {}, label), element('dd', {}, value)),
  );
  return element('dl', { class: 'figures' }, ...cards);
}

function factList(facts: readonly Fact[]): HTMLElement {
  const pairs = facts.flatMap(({ label, value, mono }) => [
    element('dt', {}, label),
    element('dd', mono ? { class: 'mono' } : {}, foreign(value)),
  ]);
  return element('dl', { class: 'facts' }, ...pairs);
}

function coverage(lines: readonly CoverageLine[]): HTMLElement {
  return element(
    'ul',
    { class: 'coverage' },
    ...lines.map(({ text, tone }) => element('li', { class: tone }, foreign(text))),
  );
}

/** As times are written in the tables, so that they compare as text; with the day, which the tables may leave out. */
function timeText(ms: number): string {
  return new Date(ms).toISOString().slice(0, 23).replace('T', ' ');
}

function inRange(time: string | number | null | undefined, from: string, to: string): boolean {
  return typeof time === 'string' && time >= from.slice(-time.length) && time < to.slice(-time.length);
}
