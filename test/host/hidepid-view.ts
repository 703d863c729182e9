import { HOST_ROOTS } from '../../src/host/host-facts.js';
import { HostReader } from '../../src/host/reader.js';

/** Run by hidepid.test.ts as a user without privileges: prints what that user gets to see of the pid it is given. */
const reader = new HostReader();
const row = await reader.read(Number(process.argv[2]));
const own = await reader.read(process.pid, { hash: false });
const sockets = await reader.sockets('start', () => undefined);
const { self } = await reader.host({ roots: HOST_ROOTS, self: { pid: process.pid, environment: [] } });
reader.close();
process.stdout.write(JSON.stringify({ row, own, sockets, self }));
