import type { HiddenProcess } from '../snapshot/schema/host.js';
import type { Finding } from './finding.js';
import type { BrowserSighting, Sighting, StackSighting, UnusualSighting } from './sighting.js';
import { worldWritable } from './unusual-executable.js';

/** What is said of each kind of finding, and how sure it is. */
export function browserFinding(sighting: BrowserSighting): Finding {
  const { exe, likeness, ja4, grease } = sighting;
  const { browser, by, source } = likeness;
  const why = [
    by === 'exact'
      ? `the fingerprint is listed for ${browser} (${source})`
      : `the list of cipher suites is that of ${browser} (${source}), the extensions are not those of a listed version`,
  ];
  // Chromium puts GREASE in every hello (RFC 8701); a copy of its lists without it is somebody else's work.
  const imitation = browser.startsWith('Chrom') && by === 'suites' && !grease;
  if (imitation) why.unshift('it lacks the GREASE that Chromium always sends: an imitation');
  const hidden = exe !== null && worldWritable(exe) !== null;
  if (hidden) why.unshift(`the executable lies in ${worldWritable(exe) ?? ''}`);
  why.push('programs that embed a browser engine send the same; this one is not known to');
  return {
    ...evidence(sighting),
    kind: 'browser-fingerprint',
    summary: `${exe ?? 'an unknown executable'} sends a hello of ${browser} (${ja4 ?? 'no JA4'}), and is no browser`,
    confidence: imitation || hidden ? 'high' : 'medium',
    why,
    processes: null,
    key: `browser-fingerprint ${exe} ${browser}`,
  };
}

export function stackFinding(sighting: StackSighting, libraries: ReadonlySet<string>): Finding {
  const { exe, container } = sighting;
  const stacks = sighting.stacks.distinct;
  const why = stacks.map(
    ({ ja4, shape, seqs, count }) =>
      `${ja4}${shape.grease ? ' with GREASE' : ''}: ${count} ${count === 1 ? 'hello' : 'hellos'}, first seq ${seqs[0] ?? '?'}`,
  );
  const interpreter = INTERPRETER.test((exe ?? '').slice((exe ?? '').lastIndexOf('/') + 1));
  const explained = libraries.size >= stacks.length;
  if (explained) why.push(`it has ${[...libraries].sort().join(' and ')} loaded`);
  else if (libraries.size === 1) why.push(`of TLS libraries it has only ${[...libraries].join('')} loaded`);
  if (interpreter) why.push("it runs other people's code, which may bring a TLS library along");
  return {
    ...evidence({ ...sighting, seqs: stacks.flatMap(({ seqs }) => seqs.slice(0, 3)).slice(0, 10) }),
    kind: 'second-tls-stack',
    summary: `${exe ?? 'an unknown executable'} sends hellos of ${stacks.length} TLS libraries: order of extensions and of cipher suites differ`,
    confidence: explained || interpreter ? 'low' : libraries.size === 1 ? 'high' : 'medium',
    why,
    processes: null,
    key: `second-tls-stack ${exe}${container === null ? '' : ' in a container'}`,
  };
}

export function unusualFinding(sighting: UnusualSighting): Finding {
  const { exe, unusual, pids } = sighting;
  return {
    ...evidence(sighting),
    kind: 'unusual-executable',
    summary: `${exe ?? '?'} talks TLS, and ${unusual.what}`,
    confidence: unusual.confidence,
    why: unusual.why,
    processes: pids.size,
    key: `unusual-executable ${exe} ${unusual.what}`,
  };
}

export function hiddenFinding(process: HiddenProcess, sighting: Sighting): Finding {
  const { pid, comm, hasDirectory, answersKill, explanation } = process;
  const why =
    explanation === 'hidepid'
      ? ['/proc is mounted with hidepid, which hides processes of others']
      : [
          'nothing explains it; a rootkit that filters the listing of /proc would look like this',
          hasDirectory ? '/proc/PID opens by name' : '/proc/PID does not open either',
          ...(answersKill === null ? [] : [answersKill ? 'kill(pid, 0) finds it' : 'kill(pid, 0) does not find it']),
        ];
  return {
    ...evidence(sighting),
    kind: 'hidden-process',
    summary: `process ${pid} (${comm ?? '?'}) made a connection, lives, and is not listed in /proc`,
    confidence: explanation === 'hidepid' ? 'low' : 'high',
    why,
    processes: 1,
    key: `hidden-process ${comm}`,
  };
}

function evidence({ exe, comm, pid, startTimeNs, seqs, handshakes }: Sighting) {
  return { exe, comm, pid, startTimeNs, seqs, handshakes };
}

const INTERPRETER = /^(?:python|node|java|ruby|perl|php|lua|dotnet|deno|bun|erl|beam|pwsh|R$)/;
