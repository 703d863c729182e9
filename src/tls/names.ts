/** Code points by name, as IANA registers them; GREASE and what has no name are named by number. */
import { isGrease } from './grease.js';
import {
  CIPHER_SUITE_NAMES,
  EXTENSION_NAMES,
  GROUP_NAMES,
  POINT_FORMAT_NAMES,
  SIGNATURE_SCHEME_NAMES,
} from './iana.js';

export function cipherSuiteName(value: number): string {
  return nameOf(CIPHER_SUITE_NAMES, value);
}

export function extensionName(value: number): string {
  return nameOf(EXTENSION_NAMES, value);
}

export function groupName(value: number): string {
  return nameOf(GROUP_NAMES, value);
}

export function signatureSchemeName(value: number): string {
  return nameOf(SIGNATURE_SCHEME_NAMES, value);
}

export function pointFormatName(value: number): string {
  return POINT_FORMAT_NAMES[value] ?? `0x${value.toString(16).padStart(2, '0')}`;
}

function nameOf(names: Readonly<Record<number, string>>, value: number): string {
  return names[value] ?? numbered(value);
}

function numbered(value: number): string {
  const number = `0x${value.toString(16).padStart(4, '0')}`;
  return isGrease(value) ? `GREASE ${number}` : number;
}
