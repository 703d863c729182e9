import { readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { type Actor, freePort, makeCertificate, PROJECT, type Stage } from './live.js';

// Programs that the live tests make and run.

/** Compiles a program of actors/, statically: it starts in a millisecond, and its file is its own. */
export async function compileActor(directory: string, name: string): Promise<string> {
  const program = join(directory, name);
  const source = join(import.meta.dirname, 'actors', `${name}.c`);
  await execa('cc', ['-static', '-O1', '-Wall', '-Werror', '-o', program, source]);
  return program;
}

/** A ClientHello in a file, as OpenSSL sent it; see fixtures/README.md. */
export async function writeHello(directory: string): Promise<{ file: string; message: Buffer }> {
  const [line = ''] = readFileSync(join(PROJECT, 'fixtures/hellos/hellos.ndjson'), 'utf8').split('\n');
  const { segments } = JSON.parse(line) as { segments: [number, number, string][] };
  const record = Buffer.from(segments[0]?.[2] ?? '', 'hex');
  const file = join(directory, 'hello');
  await writeFile(file, record);
  return { file, message: record.subarray(5) };
}

/** A dual-stack TLS server that knows HTTP. */
export async function startTlsServer(stage: Stage): Promise<{ port: number; server: Actor }> {
  const { keyFile, certFile } = await makeCertificate(stage.directory);
  const port = await freePort();
  const script = join(import.meta.dirname, 'actors/tls-server.mjs');
  const server = await stage.serve(port, process.execPath, [script, String(port), keyFile, certFile]);
  return { port, server };
}

/** Everything on a running program's stdout so far. */
export function outputOf(actor: Actor): () => string {
  let text = '';
  actor.process.stdout?.on('data', (chunk: Buffer) => (text += chunk.toString()));
  return () => text;
}

/** By sha256sum(1). */
export async function sha256Of(file: string): Promise<string> {
  const { stdout } = await execa('sha256sum', ['--zero', file]);
  return stdout.slice(0, 64);
}
