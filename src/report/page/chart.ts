import type uPlotType from 'uplot';
import type { Timeline } from '../html/page-data.js';
import { element, number, section } from './elements.js';

declare const uPlot: typeof uPlotType;

/** Hellos over time; what is marked with the mouse becomes the range of the table of hellos. */
export function chartSection(
  timeline: Timeline,
  onRange: (range: [fromMs: number, toMs: number] | null) => void,
): HTMLElement {
  const { client, server, hit } = timeline;
  const total = sum(client) + sum(server);
  const place = element('div', { class: 'chart', role: 'img', 'aria-label': described(timeline, total) });
  const range = element('span', { class: 'status', role: 'status' }, HINT);
  const reset = element('button', { type: 'button', hidden: '' }, 'Show all');
  const all = section(
    'timeline',
    'Timeline',
    element('div', { class: 'tools' }, legend(sum(hit) > 0), range, reset),
    place,
  );
  const draw = (): void => {
    const chart = plot(timeline, place, (from, to) => {
      const whole = to - from >= timeline.stepMs * client.length - 1;
      reset.hidden = whole;
      range.textContent = whole ? HINT : `${clock(from)} to ${clock(to)}`;
      onRange(whole ? null : [from, to]);
    });
    reset.addEventListener('click', () => chart.setScale('x', bounds(timeline)));
    new ResizeObserver(() => chart.setSize({ width: place.clientWidth, height: HEIGHT })).observe(place);
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => chart.redraw());
    for (const event of ['beforeprint', 'afterprint']) {
      addEventListener(event, () => {
        place.classList.toggle('printing', event === 'beforeprint');
        chart.redraw();
      });
    }
  };
  // Its width is known once it is in the page.
  requestAnimationFrame(draw);
  return all;
}

function plot(timeline: Timeline, place: HTMLElement, onScale: (fromMs: number, toMs: number) => void): uPlotType {
  const { startMs, stepMs, client, server, hit } = timeline;
  const times = client.map((_, at) => (startMs + (at + 0.5) * stepMs) / 1000);
  const stacked = client.map((value, at) => value + (server[at] ?? 0));
  const bars = uPlot.paths.bars?.({ size: [0.86, 40], gap: 0 });
  // A canvas knows no variables of CSS: an element that does gives their colours.
  const probe = place.appendChild(element('i', { hidden: '' }));
  const color = (name: string) => (): string => {
    probe.style.color = `var(${name})`;
    return getComputedStyle(probe).color;
  };
  const series = (name: string) => ({
    fill: color(name),
    stroke: color(name),
    width: 0,
    points: { show: false },
    ...(bars && { paths: bars }),
  });
  const axis = { stroke: color('--muted'), font: '12px system-ui, sans-serif', ticks: { show: false } };
  const options: uPlotType.Options = {
    width: place.clientWidth,
    height: HEIGHT,
    tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), 'Etc/UTC'),
    legend: { show: false },
    padding: [8, 8, 0, 0],
    cursor: { y: false, points: { show: false }, drag: { x: true, y: false } },
    scales: { x: { time: true, ...bounds(timeline) }, y: { range: (_, __, max) => [0, Math.max(1, max * 1.08)] } },
    series: [{}, series('--server'), series('--client'), series('--bad')],
    axes: [
      {
        ...axis,
        grid: { show: false },
        values: (_, splits) => splits.map((at) => label(at * 1000, timeline)),
        space: 90,
        size: 30,
      },
      {
        ...axis,
        grid: { stroke: color('--line'), width: 1 },
        size: 48,
        incrs: COUNTS,
        values: (_, splits) => splits.map(number),
      },
    ],
    hooks: {
      setScale: [
        (chart, key) => {
          const { min, max } = chart.scales[key] ?? {};
          if (key === 'x' && min != null && max != null) onScale(min * 1000, max * 1000);
        },
      ],
    },
  };
  // What is drawn later covers what was drawn before: the client's part of all, and the hits.
  return new uPlot(options, [times, stacked, [...client], [...hit]], place);
}

function bounds({ startMs, stepMs, client }: Timeline): { min: number; max: number } {
  return { min: startMs / 1000, max: (startMs + stepMs * client.length) / 1000 };
}

function legend(hits: boolean): HTMLElement {
  const entry = (name: string, text: string): HTMLElement =>
    element('span', { class: `key ${name}` }, element('i'), text);
  return element(
    'span',
    { class: 'legend' },
    entry('client', 'client hellos'),
    entry('server', 'server hellos'),
    hits ? entry('hit', 'hits') : null,
  );
}

function described({ startMs, stepMs, client }: Timeline, total: number): string {
  return `${number(total)} hellos between ${clock(startMs)} and ${clock(startMs + stepMs * client.length)} UTC`;
}

/** The date where days are counted, parts of a second where those are. */
function label(ms: number, { stepMs, client }: Timeline): string {
  const iso = new Date(ms).toISOString();
  if (stepMs * client.length > 2 * 86_400_000) return `${iso.slice(5, 10)} ${iso.slice(11, 16)}`;
  return stepMs < 100 ? iso.slice(14, 23) : iso.slice(11, 19);
}

function clock(ms: number): string {
  return new Date(ms).toISOString().slice(11, 23);
}

function sum(values: readonly number[]): number {
  return values.reduce((all, value) => all + value, 0);
}

const HEIGHT = 200;
const HINT = 'Drag over the chart to see only the hellos of that time.';
const COUNTS = [1, 2, 5]
  .flatMap((digit) => Array.from({ length: 10 }, (_, power) => digit * 10 ** power))
  .sort((a, b) => a - b);
