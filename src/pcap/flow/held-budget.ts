/** Keeps what many flows hold below a limit: over it, the flow that has held something for the longest must let go. */
export class HeldBudget {
  private readonly limit: number;
  private readonly release: (slot: number) => void;
  /** Bytes held by slot, in the order in which they began to hold. */
  private readonly held = new Map<number, number>();
  private total = 0;

  /** @param release must end with set(slot, 0) */
  constructor(limit: number, release: (slot: number) => void) {
    this.limit = limit;
    this.release = release;
  }

  /** Notes how much the flow in `slot` holds now. */
  set(slot: number, bytes: number): void {
    const before = this.held.get(slot) ?? 0;
    if (bytes === before) return;
    this.total += bytes - before;
    if (bytes === 0) this.held.delete(slot);
    else this.held.set(slot, bytes);
    while (this.total > this.limit) {
      const oldest = this.held.keys().next();
      if (oldest.done) return;
      this.release(oldest.value);
    }
  }
}
