import { printable, table, type TableOptions } from '../terminal.js';
import type { Diagnosis } from './check.js';

/** A diagnosis for people: the table, what a capture would not see, what to do, and the verdict last. */
export function diagnosisText({ capture, tier, notSeen, checks }: Diagnosis, options: TableOptions = {}): string {
  // A refusal goes on with the verifier's log, which --json has.
  const rows = checks.map(({ name, state, found, needed }) => [state, name, found.split('\n')[0], needed]);
  const todo = checks.flatMap(({ name, advice }) => (advice === null ? [] : [`${name}: ${advice}`]));
  return [
    table(['state', 'what', 'found', 'needed'], rows, options),
    ...section('not seen here', notSeen),
    ...section('what to do', todo),
    '',
    `live capture: ${VERDICTS[capture]}${tier === null ? '' : `, tier ${tier}`}`,
    'offline commands: work here (verify, replay, match, diff, report, import, feed check)',
  ].join('\n');
}

function section(title: string, lines: readonly string[]): string[] {
  return lines.length === 0 ? [] : ['', title, ...lines.map((line) => `  ${printable(line)}`)];
}

const VERDICTS: Record<Diagnosis['capture'], string> = {
  whole: 'works, and sees all that tlsnap can see',
  limited: 'works, and sees less than elsewhere',
  impossible: 'does not work here',
};
