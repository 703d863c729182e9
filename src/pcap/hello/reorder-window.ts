/**
 * Puts rows that come nearly in order of time into it. A hello of several segments is whole later than it began, so rows come
 * some places late; a timeline that is in order need not be sorted on disk at the end.
 */
export class ReorderWindow {
  private readonly emit: (timeNs: bigint, json: string) => void;
  private readonly maxRows: number;
  private readonly maxLength: number;
  private rows: { timeNs: bigint; json: string }[] = [];
  private length = 0;

  /** @param maxLength characters held at most, over all rows */
  constructor(emit: (timeNs: bigint, json: string) => void, maxRows = 512, maxLength = 16 << 20) {
    this.emit = emit;
    this.maxRows = maxRows;
    this.maxLength = maxLength;
  }

  add(timeNs: bigint, json: string): void {
    const { rows } = this;
    let at = rows.length;
    while (at > 0 && (rows[at - 1]?.timeNs ?? 0n) > timeNs) at--;
    const row = { timeNs, json };
    if (at === rows.length) rows.push(row);
    else rows.splice(at, 0, row);
    this.length += json.length;
    if (rows.length >= this.maxRows || this.length >= this.maxLength) this.pass(rows.length >> 1);
  }

  /** Passes on what is left. */
  end(): void {
    this.pass(this.rows.length);
  }

  private pass(count: number): void {
    for (const { timeNs, json } of this.rows.splice(0, Math.max(1, count))) {
      this.length -= json.length;
      this.emit(timeNs, json);
    }
  }
}
