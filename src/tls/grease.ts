/**
 * GREASE for 16-bit code points (RFC 8701, section 2): 0x0A0A, 0x1A1A, ... 0xFAFA, in cipher suites, extensions, groups,
 * signature algorithms and versions.
 */
export function isGrease(value: number): boolean {
  return (value & 0x0f0f) === 0x0a0a && value >> 8 === (value & 0xff);
}
