#!/usr/bin/env node
import { userInfo } from 'node:os';
import { fileURLToPath } from 'node:url';

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
