import { gzipSync } from 'node:zlib';
import { type Header, pack } from 'tar-stream';

export interface Entry extends Partial<Header> {
  readonly name: string;
  readonly content?: Buffer | string;
}

/** A gzip'd tar of whatever entries, by tar-stream, which knows more kinds than a snapshot may have. */
export async function makeTar(entries: readonly Entry[]): Promise<Buffer> {
  const packing = pack();
  for (const { content = '', ...header } of entries) {
    packing.entry({ mtime: new Date('2026-11-22T09:21:08Z'), mode: 0o400, ...header }, content);
  }
  packing.finalize();
  const chunks: Buffer[] = [];
  for await (const chunk of packing) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

export async function makeTarGz(entries: readonly Entry[]): Promise<Buffer> {
  return gzipSync(await makeTar(entries));
}
