import type { Transport } from '../tls/ja4.js';
import { sameStack, type NormalForm, type StackShape } from './normal-form.js';

/** Hellos of one executable that can be of one TLS library. */
export interface TlsStack {
  readonly transport: Transport;
  readonly shape: StackShape;
  readonly ja4: string;
  /** The first few hellos. */
  readonly seqs: number[];
  count: number;
}

/** Sorts the hellos of one executable by the TLS library that they can be of. */
export class TlsStacks {
  readonly stacks: TlsStack[] = [];
  /** Forms that were looked at, to look at each once; bounded, since a client may be made to vary without end. */
  readonly #known = new Map<string, TlsStack>();

  add({ ja4, ja3, shape }: NormalForm, transport: Transport, seq: number): void {
    const key = `${ja4} ${ja3} ${shape.grease}`;
    let stack = this.#known.get(key);
    if (!stack) {
      stack = this.stacks.find((one) => one.transport === transport && sameStack(one.shape, shape));
      if (!stack) {
        if (this.stacks.length >= MAX_STACKS) return;
        stack = { transport, shape, ja4, seqs: [], count: 0 };
        this.stacks.push(stack);
      }
      if (this.#known.size < MAX_FORMS) this.#known.set(key, stack);
    }
    stack.count += 1;
    if (stack.seqs.length < MAX_SEQS) stack.seqs.push(seq);
  }

  /** The stacks of the transport that has most of them; one library speaks TCP and QUIC in different ways. */
  get distinct(): readonly TlsStack[] {
    const byTransport = (['tcp', 'quic', 'dtls'] as const).map((transport) =>
      this.stacks.filter((stack) => stack.transport === transport),
    );
    return byTransport.reduce((most, some) => (some.length > most.length ? some : most));
  }
}

const MAX_STACKS = 8;
const MAX_FORMS = 256;
const MAX_SEQS = 5;
