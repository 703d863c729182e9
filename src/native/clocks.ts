import type { Manifest } from '../snapshot/schema/manifest.js';
import { loadAddon } from './addon.js';

type ClockReading = NonNullable<Manifest['clocks']>['start'];

/** All clocks and the state of their synchronisation, read within microseconds of each other. */
export function readClocks(): ClockReading {
  const clocks = loadAddon().clocks();
  return {
    realtime: String(clocks.realtime),
    monotonic: String(clocks.monotonic),
    boottime: String(clocks.boottime),
    tai: String(clocks.tai),
    ntp: {
      // adjtimex(2): TIME_ERROR (5) and STA_UNSYNC (0x40) both say that nobody disciplines the clock.
      synchronized: clocks.state !== 5 && (clocks.status & 0x40) === 0,
      state: STATES[clocks.state] ?? null,
      offsetNs: String(clocks.offsetNs),
      maxErrorNs: String(clocks.maxErrorUs * 1000),
      estimatedErrorNs: String(clocks.estimatedErrorUs * 1000),
      status: clocks.status,
    },
  };
}

const STATES = ['ok', 'insert', 'delete', 'oop', 'wait', 'error'];
