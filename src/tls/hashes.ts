import { hash } from 'node:crypto';

/** MD5 of the text's bytes, 32 lowercase hex digits: an identifier here, never a safeguard. */
export function md5Hex(text: string): string {
  return hash('md5', text, 'hex');
}

/** SHA-256 of the text's bytes, 64 lowercase hex digits. */
export function sha256Hex(text: string): string {
  return hash('sha256', text, 'hex');
}
