#!/usr/bin/env node
import { stat } from 'node:fs';
import { userInfo } from 'node:os';
import { fileURLToPath } from 'node:url';

// C libraries before glibc 2.41 lose a wake-up once in a while (docs/adr/0030): all threads of Node's pool then sleep beside
// work, and whoever waits for that work waits forever, unless something else is asked of the pool.
setInterval(() => stat('/', () => undefined), 1000).unref();

if (!process.env.HOME || !process.env.SHELL) {
  try {
    userInfo();
  } catch {
    // Without HOME and SHELL oclif asks for the user's entry in the password file, and a container's user may have none.
    process.env.HOME ??= '/';
    process.env.SHELL ??= '/bin/sh';
  }
}
const { main } = await import('../dist/main.js');
await main(fileURLToPath(new URL('..', import.meta.url)));
