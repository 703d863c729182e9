import fc from 'fast-check';
import { FlowEnd } from '../../../src/pcap/flow/flow-end.js';

/** Ends of flows of either family. */
export function flowEnds(): fc.Arbitrary<FlowEnd> {
  const word = fc.oneof(fc.constantFrom(0, 1, 0xffff, -1), fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }));
  return fc
    .tuple(fc.constantFrom(4 as const, 6 as const), fc.tuple(word, word, word, word), fc.nat(65_535))
    .map(([family, words, port]) => new FlowEnd(family, words, port));
}
