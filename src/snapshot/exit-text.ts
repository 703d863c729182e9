/** How a process ended, from its status as in wait(2): the low seven bits are a signal, or else the next eight the code. */
export function exitText(status: number): string {
  const signal = status & 0x7f;
  return signal === 0 ? `code ${(status >> 8) & 0xff}` : `signal ${signal}`;
}
