import type { HelloGroup, ProcessNode, ProcessTree } from '../html/page-data.js';
import { element, foreign, number, section } from './elements.js';

/** The processes under their parents, each with the hellos it took part in; a search shows what is found, and its line. */
export function treeSection({ nodes, note }: ProcessTree): HTMLElement {
  const items = nodes.map((node) => item(node));
  const root = element('ul', { class: 'tree' });
  nodes.forEach(({ parent }, at) => {
    const own = items[at];
    if (own) (items[parent]?.children ?? root).append(own.element);
  });
  const search = element('input', { type: 'search', placeholder: 'Search', 'aria-label': 'Search processes' });
  const status = element('span', { class: 'status', role: 'status' }, counted(nodes.length, nodes.length));
  search.addEventListener('input', () => {
    const words = search.value
      .toLowerCase()
      .split(/\s+/)
      .filter((word) => word !== '');
    const visible = new Set<number>();
    nodes.forEach((_, at) => {
      if (!words.every((word) => items[at]?.text.includes(word))) return;
      for (let up = at; up >= 0 && !visible.has(up); up = nodes[up]?.parent ?? -1) visible.add(up);
    });
    items.forEach((own, at) => (own.element.hidden = !visible.has(at)));
    status.textContent = counted(visible.size, nodes.length);
  });
  const content =
    nodes.length === 0
      ? [element('p', { class: 'note' }, 'No processes: an imported capture has none.')]
      : [element('div', { class: 'tools' }, search, status), root];
  return section('processes', 'Processes', note === null ? null : element('p', { class: 'note' }, note), ...content);
}

interface Item {
  readonly element: HTMLElement;
  readonly children: HTMLElement;
  /** What a search looks at. */
  readonly text: string;
}

function item(node: ProcessNode): Item {
  const { comm, pid, uid, exe, cmdline, flags, client, server, hits, groups, more } = node;
  const idle = client + server === 0;
  const line = element(
    'div',
    { class: idle ? 'process idle' : 'process' },
    foreign(comm, 'comm'),
    element('span', { class: 'pid' }, String(pid)),
    uid === null ? null : element('span', { class: 'pid' }, `uid ${uid}`),
    hits > 0 ? element('span', { class: 'badge high' }, hits === 1 ? '1 hit' : `${number(hits)} hits`) : null,
    ...flags.map((flag) => element('span', { class: ALARMING.has(flag) ? 'badge medium' : 'badge' }, flag)),
    idle ? null : element('span', { class: 'tally' }, tally(client, server)),
    exe === null || cmdline !== null ? null : foreign(exe, 'path'),
    cmdline === null ? null : foreign(cmdline, 'path'),
  );
  const children = element('ul');
  const created = element('li', {}, line, groups.length === 0 ? null : groupTable(groups, more), children);
  const words = [
    comm,
    String(pid),
    exe,
    cmdline,
    ...flags,
    ...groups.flatMap((group) => Object.values(group) as unknown[]),
  ];
  return { element: created, children, text: words.join('\u0000').toLowerCase() };
}

function groupTable(groups: readonly HelloGroup[], more: number): HTMLElement {
  const rows = groups.map(({ kind, fingerprint, name, peer, count }) =>
    element(
      'tr',
      {},
      element('td', { class: 'side' }, kind),
      element('td', { class: 'mono' }, foreign(fingerprint)),
      element('td', {}, name === null ? element('span', { class: 'nothing' }, '–') : foreign(name)),
      element('td', { class: 'mono' }, foreign(peer)),
      element('td', { class: 'number' }, `×${number(count)}`),
    ),
  );
  if (more > 0) {
    rows.push(element('tr', {}, element('td', { colspan: '5', class: 'nothing' }, `and ${number(more)} other hellos`)));
  }
  const body = element('table', { class: 'groups' }, element('tbody', {}, ...rows));
  if (rows.length <= OPEN_ROWS) return body;
  return element('details', {}, element('summary', {}, `${rows.length} kinds of hellos`), body);
}

function tally(client: number, server: number): string {
  const parts = [
    ...(client > 0 ? [`${number(client)} client`] : []),
    ...(server > 0 ? [`${number(server)} server`] : []),
  ];
  return `${parts.join(', ')} ${client + server === 1 ? 'hello' : 'hellos'}`;
}

function counted(visible: number, all: number): string {
  return visible === all ? `${number(all)} processes` : `${number(visible)} of ${number(all)} processes`;
}

const OPEN_ROWS = 6;
const ALARMING = new Set(['memory only', 'deleted', 'temporary path', 'not in /proc', 'not listed']);
