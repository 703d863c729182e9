// A dual-stack TLS server: node tls-server.mjs PORT KEY CERT. Answers as an HTTP/1.1 server would, whatever is asked,
// and prints a line for each connection.
import { readFileSync } from 'node:fs';
import { createServer } from 'node:tls';

const [port, key, cert] = process.argv.slice(2);
const answer = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok';
const server = createServer({ key: readFileSync(key), cert: readFileSync(cert), ALPNProtocols: ['http/1.1'] });
server.on('secureConnection', (socket) => {
  console.log(socket.remotePort);
  socket.on('error', () => socket.destroy());
  socket.once('data', () => socket.end(answer));
});
server.on('tlsClientError', () => undefined);
server.listen(Number(port), '::');
