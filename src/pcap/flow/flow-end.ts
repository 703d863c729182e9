import { formatIpv4, formatIpv6 } from '../../snapshot/address-text.js';

/** An IP address as numbers of 32 bits, signed or not; IPv4 has only the first. */
export type AddressWords = readonly [first: number, second: number, third: number, fourth: number];

/** One end of a flow. Its address is numbers as long as it can be, as it travels to the thread that makes rows. */
export class FlowEnd {
  readonly family: 4 | 6;
  readonly words: AddressWords;
  readonly port: number;

  constructor(family: 4 | 6, words: AddressWords, port: number) {
    this.family = family;
    this.words = words;
    this.port = port;
  }

  /** As text. */
  get address(): string {
    return this.family === 4 ? formatIpv4(this.words[0]) : formatIpv6(...this.words);
  }
}
