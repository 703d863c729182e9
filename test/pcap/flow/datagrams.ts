import { udpPacket } from '../../../src/pcap/write/ip-packet.js';

/** The datagrams between one client and one server for tests, as raw IP. */
export class Datagrams {
  readonly #client: { address: Uint8Array; port: number };
  readonly #server: { address: Uint8Array; port: number };

  constructor(serverPort: number, clientPort = 50_000) {
    this.#client = { address: Uint8Array.of(10, 0, 0, 1), port: clientPort };
    this.#server = { address: Uint8Array.of(10, 0, 0, 2), port: serverPort };
  }

  from(side: 'client' | 'server', payload: Uint8Array): Buffer {
    const [sender, receiver] = side === 'client' ? [this.#client, this.#server] : [this.#server, this.#client];
    return udpPacket(
      {
        source: sender.address,
        sourcePort: sender.port,
        destination: receiver.address,
        destinationPort: receiver.port,
      },
      payload,
    );
  }
}
