import { ownHello, ownHelloMessage } from '../../src/doctor/own-hello.js';
import { ja3, ja3String } from '../../src/tls/ja3.js';
import { parseClientHello } from '../../src/tls/client-hello.js';
import { readByTshark } from '../kernels/tshark-reading.js';
import { reasonAgainstCommands, testUnless } from '../left-out.js';

testUnless(
  reasonAgainstCommands('tshark', 'text2pcap'),
  "the doctor's hello is a whole ClientHello to tshark, with the JA3 that we find",
  async (t) => {
    const { hello, error } = parseClientHello(ownHelloMessage());
    t.is(error, null);
    t.is(hello?.serverName, 'tlsnap-doctor.invalid');
    t.is(ownHello().readUInt16BE(3), ownHelloMessage().length);
    t.is((await readByTshark(ownHelloMessage())).ja3, hello ? ja3(ja3String(hello)) : '');
  },
);
