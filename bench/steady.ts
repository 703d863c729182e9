/**
 * A real capture at a steady rate for some minutes: that its memory stays as it is, and that nothing is lost.
 *
 *   node --import tsx bench/steady.ts [SECONDS] [PER_SECOND]
 *
 * Both ends of each connection are watched, so that each has four hellos. Ends with 1 where something was lost, or where the
 * memory of the last quarter is more than that of the second by 16 MiB. Needs root and gcc. hour.ts does an hour without the hour.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { curlExchange } from './curl-exchange.js';
import { compile, OwnCgroup } from './own-cgroup.js';
import { WatchedCapture } from './watched-capture.js';

const [seconds = 300, perSecond = 200] = process.argv.slice(2).map(Number);
const cgroup = new OwnCgroup();
try {
  const load = compile(cgroup.folder, 'connections-load.c');
  const { clientHello, serverHello } = curlExchange();
  const hellos = [clientHello.toString('hex'), serverHello.toString('hex')];
  const capture = new WatchedCapture(cgroup);
  await capture.armed();
  const running = cgroup.run(load, ['rate', String(perSecond * seconds), String(perSecond), ...hellos]);
  const quarters: number[] = [];
  for (let quarter = 1; quarter <= 4; quarter++) {
    await sleep((seconds / 4) * 1000 - 100);
    quarters.push(capture.residentBytes());
    console.log(`after ${((seconds * quarter) / 4).toFixed(0)} s  ${mib(quarters.at(-1) ?? 0)} resident`);
  }
  const { numbers } = await running;
  const { events, losses, peakBytes } = await capture.end();
  const [, second = 0, , last = 0] = quarters;
  console.log(`hellos        ${4 * (numbers[0] ?? 0)} made, ${events} kept, lost: ${JSON.stringify(losses)}`);
  console.log(`peak          ${mib(peakBytes)}, the snapshot's making included`);
  const whole = events === 4 * (numbers[0] ?? 0) && Object.keys(losses).length === 0;
  if (!whole || last - second > 16 * 2 ** 20) process.exitCode = 1;
} finally {
  cgroup.remove();
}

function mib(bytes: number): string {
  return `${(bytes / 2 ** 20).toFixed(0)} MiB`;
}
