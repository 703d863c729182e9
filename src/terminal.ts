/**
 * Text for a terminal that an attacker may have written: every control, bidirectional and otherwise invisible
 * character is shown as an escape (`\x1b`, `\u202e`), never sent raw. A backslash stays a backslash.
 */
export function printable(text: string): string {
  return text.replace(UNSAFE, (character) => {
    const code = character.codePointAt(0) ?? 0;
    return code < 0x100 ? `\\x${code.toString(16).padStart(2, '0')}` : `\\u{${code.toString(16)}}`;
  });
}

// C0, DEL, C1; format, surrogate, private use and unassigned; line and paragraph separators.
const UNSAFE = /[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Cn}\p{Zl}\p{Zp}]/gu;
