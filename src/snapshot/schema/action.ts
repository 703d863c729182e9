import { Type, type Static } from 'typebox';
import { closed, orNull, time } from './fields.js';

/** One line of `actions.ndjson`: one thing tlsnap itself did to the host, so that it is not taken for the suspect's. */
export const Action = Type.Object(
  {
    time,
    action: Type.String({
      pattern: '^[a-z]{1,32}(-[a-z]{1,32}){0,3}$',
      description:
        'object and past participle: program-loaded, map-created, link-attached, link-detached, file-written, ' +
        'file-removed, recorder-read, host-read, process-read, sockets-read, executable-read, executable-copied, executable-changed, socket-closed, ' +
        'socket-spared; hello-disputed where the kernel programs and user space hashed one hello differently',
    }),
    subject: Type.String({ description: 'the file, program, link, process or socket it was done to' }),
    detail: orNull(Type.String()),
  },
  closed,
);

export type Action = Static<typeof Action>;
