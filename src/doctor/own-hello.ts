/**
 * A ClientHello record that asks nobody for anything: TLS 1.3 and 1.2, five suites, the name of a top-level domain that
 * does not exist (RFC 2606). Always the same bytes, its random too.
 */
export function ownHello(): Buffer {
  const serverName = vector(2, Buffer.from([0]), vector(2, Buffer.from('tlsnap-doctor.invalid')));
  const extensions = [
    extension(0, serverName),
    extension(10, vector(2, uint16(29, 23))),
    extension(13, vector(2, uint16(0x0403, 0x0804, 0x0401))),
    extension(43, vector(1, uint16(0x0304, 0x0303))),
  ];
  const body = [
    uint16(0x0303),
    Buffer.alloc(32, 'tlsnap doctor '),
    vector(1),
    vector(2, uint16(0x1301, 0x1302, 0x1303, 0xc02b, 0xc02f)),
    vector(1, Buffer.from([0])),
    vector(2, ...extensions),
  ];
  const message = Buffer.concat([Buffer.from([1]), vector(3, ...body)]);
  return Buffer.concat([Buffer.from([22, 3, 1]), vector(2, message)]);
}

/** The handshake message of `ownHello`, without its record's header. */
export function ownHelloMessage(): Buffer {
  return ownHello().subarray(5);
}

function extension(type: number, content: Buffer): Buffer {
  return Buffer.concat([uint16(type), vector(2, content)]);
}

/** RFC 8446, section 3.4: contents behind their length in `bytes` bytes. */
function vector(bytes: number, ...contents: readonly Buffer[]): Buffer {
  const content = Buffer.concat(contents);
  const length = Buffer.alloc(bytes);
  length.writeUIntBE(content.length, 0, bytes);
  return Buffer.concat([length, content]);
}

function uint16(...values: readonly number[]): Buffer {
  return Buffer.from(values.flatMap((value) => [value >> 8, value & 255]));
}
