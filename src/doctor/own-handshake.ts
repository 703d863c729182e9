import { connect, createServer, type AddressInfo } from 'node:net';
import { ownHello } from './own-hello.js';

/*
 * The far side of a trial: a process of its own, so that it can be put into a cgroup of its own. When told, it connects
 * to itself over loopback, sends one ClientHello, and says how that went. It ends with the process that started it.
 */

/** What it says when it has sent the hello, or could not. */
export interface HandshakeReport {
  /** Errno; null where all went well. */
  readonly fault: string | null;
}

function shakeHands(report: (message: HandshakeReport) => void): void {
  const fail = (error: NodeJS.ErrnoException): void => report({ fault: error.code ?? error.message });
  const server = createServer((socket) => {
    socket.on('error', fail);
    socket.once('data', () => {
      socket.destroy();
      server.close();
      report({ fault: null });
    });
  });
  server.on('error', fail);
  server.listen(0, '127.0.0.1', () => {
    const { port } = server.address() as AddressInfo;
    const client = connect(port, '127.0.0.1', () => client.write(ownHello()));
    // The server ends first; a reset that meets the client is no fault.
    client.on('error', (error) => server.listening && fail(error));
  });
}

// Started by `fork` only.
if (process.send) {
  process.on('disconnect', () => process.exit());
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => undefined);
  process.on('message', () => shakeHands((message) => process.send?.(message)));
}
