/** Fetches the userlands that the bundle is tested in, ahead of the tests, which only skip what they know to be missing. */
import { join, resolve } from 'node:path';
import { fetchUserland, USERLANDS } from './debian.js';

const cache = join(resolve(import.meta.dirname, '../..'), '.cache/userlands');
for (const name of USERLANDS) {
  try {
    console.log(`userland ${name}: ${await fetchUserland(name, cache)}`);
  } catch (error) {
    console.log(`userland ${name} cannot be fetched: ${error instanceof Error ? error.message : String(error)}`);
  }
}
