import { setTimeout as sleep } from 'node:timers/promises';
import { join } from 'node:path';
import { execa } from 'execa';

// The independent reading: packets as dumpcap keeps them, and their hellos as tshark dissects them.

/** A hello as tshark reads it in the packets. */
export interface TsharkHello {
  readonly kind: 'client' | 'server';
  /** Lowercase hex: what tells one hello from all others. */
  readonly random: string;
  readonly serverName: string | null;
  readonly alpn: readonly string[];
  /** JA3 of a ClientHello, JA3S of a ServerHello. */
  readonly ja3: string;
  readonly ja3String: string;
  readonly src: string;
  readonly srcPort: number;
  readonly dst: string;
  readonly dstPort: number;
}

export interface PacketCapture {
  /** Ends it, and has tshark read the hellos on the ports. */
  hellos(): Promise<TsharkHello[]>;
}

export interface PacketSettings {
  readonly interface?: string;
  /** A command line that starts dumpcap, such as ['ip', 'netns', 'exec', NAME]. */
  readonly within?: readonly string[];
  /** What the ports speak, in tshark's words; TLS where not given. */
  readonly decodeAs?: string;
}

/** Keeps all packets to and from the ports in a file of `directory`, from now on. */
export async function capturePackets(
  directory: string,
  ports: readonly number[],
  settings: PacketSettings = {},
): Promise<PacketCapture> {
  const { interface: device = 'lo', within = [], decodeAs = 'tls' } = settings;
  const file = join(directory, `packets-${device}-${ports.join('-')}.pcapng`);
  const filter = ports.map((port) => `tcp port ${port}`).join(' or ');
  const command = [...within, 'dumpcap', '-q', '-i', device, '-f', filter, '-w', file];
  const dumpcap = execa('env', command, { reject: false, timeout: 110_000 });
  await new Promise<void>((resolve, reject) => {
    let said = '';
    dumpcap.stderr.on('data', (chunk: Buffer) => {
      said += chunk.toString();
      // Said when the interface is open.
      if (said.includes('File: ')) resolve();
    });
    void dumpcap.then(() => reject(new Error(`dumpcap ended: ${said}`)));
  });
  return {
    hellos: async () => {
      // libpcap hands packets over every 250 ms.
      await sleep(600);
      dumpcap.kill('SIGINT');
      await dumpcap;
      return readHellos(file, ports, decodeAs);
    },
  };
}

/** Every hello in the file, in its order. */
async function readHellos(file: string, ports: readonly number[], decodeAs: string): Promise<TsharkHello[]> {
  const rules = ports.flatMap((port) => ['-d', `tcp.port==${port},${decodeAs}`]);
  const fields = FIELDS.flatMap((field) => ['-e', field]);
  const args = ['-r', file, ...rules, '-Y', 'tls.handshake.type in {1, 2}', '-T', 'json', ...fields];
  const { stdout } = await execa('tshark', args, { timeout: 60_000 });
  return (JSON.parse(stdout) as { _source: { layers: Packet } }[]).map(({ _source }) => helloOf(_source.layers));
}

function helloOf(packet: Packet): TsharkHello {
  const first = (name: string) => packet[name]?.[0] ?? '';
  const isClient = packet['tls.handshake.type']?.includes('1') ?? false;
  return {
    kind: isClient ? 'client' : 'server',
    random: first('tls.handshake.random').replaceAll(':', ''),
    serverName: packet['tls.handshake.extensions_server_name']?.[0] ?? null,
    alpn: packet['tls.handshake.extensions_alpn_str'] ?? [],
    ja3: first(isClient ? 'tls.handshake.ja3' : 'tls.handshake.ja3s'),
    ja3String: first(isClient ? 'tls.handshake.ja3_full' : 'tls.handshake.ja3s_full'),
    src: first('ip.src') || first('ipv6.src'),
    srcPort: Number(first('tcp.srcport')),
    dst: first('ip.dst') || first('ipv6.dst'),
    dstPort: Number(first('tcp.dstport')),
  };
}

type Packet = Readonly<Record<string, readonly string[] | undefined>>;

const FIELDS = [
  'ip.src',
  'ip.dst',
  'ipv6.src',
  'ipv6.dst',
  'tcp.srcport',
  'tcp.dstport',
  'tls.handshake.type',
  'tls.handshake.random',
  'tls.handshake.extensions_server_name',
  'tls.handshake.extensions_alpn_str',
  'tls.handshake.ja3',
  'tls.handshake.ja3_full',
  'tls.handshake.ja3s',
  'tls.handshake.ja3s_full',
];
