import { Type } from 'typebox';

/** Field types that several members share. Numbers that may pass 2^53 are strings of decimal digits. */
export const orNull = <T extends Type.TSchema>(schema: T) => Type.Union([schema, Type.Null()]);
/** A closed object: a field that the format does not know is an error, never ignored. */
export const closed = { additionalProperties: false } as const;

export const count = Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER });
export const uint8 = Type.Integer({ minimum: 0, maximum: 0xff });
export const uint16 = Type.Integer({ minimum: 0, maximum: 0xffff });
export const uint32 = Type.Integer({ minimum: 0, maximum: 0xffff_ffff });
export const decimal = Type.String({
  pattern: '^[0-9]{1,20}$',
  description: 'an unsigned 64-bit number, as decimal digits',
});
export const signedDecimal = Type.String({
  pattern: '^-?[0-9]{1,20}$',
  description: 'a signed 64-bit number, as decimal digits',
});
export const base64 = Type.String({ pattern: '^[A-Za-z0-9+/]*={0,2}$' });
export const md5 = Type.String({ pattern: '^[0-9a-f]{32}$' });
export const sha256 = Type.String({ pattern: '^[0-9a-f]{64}$' });
export const time = Type.String({
  pattern: '^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\\.[0-9]{9}Z$',
  description: 'RFC 3339, UTC, nanoseconds',
});
