// Where the command line of a bundle starts: processes of our own run on the bundle's Node, not on its bare loader.
import { fileURLToPath } from 'node:url';

process.execPath = fileURLToPath(new URL('../../runtime/node', import.meta.url));
await import('./run.js');
