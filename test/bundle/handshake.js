// handshake.js server|client PORT: one end of TLS handshakes, for the bundle's own Node where there is nothing else to make
// them. The key is shared beforehand: no certificate is needed.
import { connect, createServer } from 'node:tls';

const [role, port] = process.argv.slice(1);
const psk = Buffer.alloc(16, 'shared');
const address = { host: '127.0.0.1', port: Number(port) };
const options = { ciphers: 'PSK-AES128-GCM-SHA256', maxVersion: 'TLSv1.2' };
if (role === 'server') {
  createServer({ ...options, pskCallback: () => psk }, (socket) => socket.end('done')).listen(address);
} else {
  const named = { servername: 'bare-host.example', checkServerIdentity: () => undefined };
  connect({ ...options, ...address, ...named, pskCallback: () => ({ psk, identity: 'client' }) }).pipe(process.stdout);
}
