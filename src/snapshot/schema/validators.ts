import type { TSchema } from 'typebox';
import { Compile } from 'typebox/compile';
import type { RowMember } from '../members.js';
import { Action } from './action.js';
import { Fingerprint } from './fingerprint.js';
import { Handshake } from './handshake.js';
import { Host } from './host.js';
import { Manifest } from './manifest.js';
import { Process } from './process.js';
import { Socket } from './socket.js';

/** The row type of each member. */
export interface Rows {
  handshakes: Handshake;
  fingerprints: Fingerprint;
  processes: Process;
  sockets: Socket;
  actions: Action;
}

/** Checks a parsed value against a member's schema; returns what is wrong with it, or undefined. */
export type Check = (value: unknown) => string | undefined;

/** A check compiled once; a million rows pass through it. */
export function rowCheck(member: RowMember): Check {
  return compile(ROW_SCHEMAS[member]);
}

export function manifestCheck(): Check {
  return compile(Manifest);
}

export function hostCheck(): Check {
  return compile(Host);
}

/** Compiles the schema to a function, which rows need: an interpreted check is some fifty times slower. */
export function compile(schema: TSchema): Check {
  const validator = Compile(schema);
  return (value) => {
    if (validator.Check(value)) return undefined;
    const error = validator.Errors(value)[0];
    return error
      ? `${error.instancePath === '' ? '/' : error.instancePath} ${error.message}`
      : 'does not fit the schema';
  };
}

export const ROW_SCHEMAS: { [Member in RowMember]: TSchema } = {
  handshakes: Handshake,
  fingerprints: Fingerprint,
  processes: Process,
  sockets: Socket,
  actions: Action,
};
