/** `1 hello`, `2,000 hellos`: a number before its noun, for people to read. */
export function counted(count: number, one: string, many = `${one}s`): string {
  return `${count.toLocaleString('en')} ${count === 1 ? one : many}`;
}
