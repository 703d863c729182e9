import type { Host } from '../snapshot/schema/host.js';

type KernelModule = NonNullable<Host['modules']>['loaded'][number];

/** /proc/modules (proc_modules(5)): name, size, references, dependants, state, address, taint in parentheses. */
export function parseModules(text: string): KernelModule[] {
  const modules: KernelModule[] = [];
  for (const line of text.split('\n')) {
    const match = /^(\S+) (\d{1,20}) \S+ \S+ (\S+) 0x[0-9a-f]+(?: \(([^)\s]*)\))?$/.exec(line);
    if (!match) continue;
    const [, name = '', size = '0', state = '', taint] = match;
    modules.push({ name, size, state, taint: taint === undefined || taint === '' ? null : taint });
  }
  return modules;
}

/** @param inSys the names in /sys/module that are loaded, not built in: those with an `initstate` */
export function compareModules(loaded: KernelModule[], inSys: readonly string[]): NonNullable<Host['modules']> {
  const sys = new Set(inSys);
  const proc = new Set(loaded.map(({ name }) => name));
  return {
    loaded,
    onlyInProc: [...proc].filter((name) => !sys.has(name)).sort(),
    onlyInSys: [...sys].filter((name) => !proc.has(name)).sort(),
  };
}
