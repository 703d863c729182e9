/**
 * oclif.manifest.json: what oclif knows of every command without loading it. Made as the oclif command line makes it,
 * through oclif's own Plugin, without depending on that large package for one file.
 */
import { join } from 'node:path';
import { Plugin, settings } from '@oclif/core';
import { execa } from 'execa';

export async function generate(project: string): Promise<ReadonlyMap<string, string>> {
  // The manifest names the compiled files, so it is the compiled commands that are asked. A type error is the build's
  // to report: tsc writes its output all the same.
  await execa(process.execPath, [join('node_modules', 'typescript', 'bin', 'tsc'), '-p', 'tsconfig.build.json'], {
    cwd: project,
    reject: false,
  });
  settings.enableAutoTranspile = false;
  const plugin = new Plugin({
    root: project,
    type: 'core',
    ignoreManifest: true,
    errorOnManifestCreate: true,
    // Defaults that depend on the machine are marked noCacheDefault; they stay out.
    respectNoCacheDefault: true,
  });
  await plugin.load();
  // Only the commands are put in order: the order of a command's args is their place on the command line.
  const commands = Object.entries(plugin.manifest.commands).sort(([left], [right]) => (left < right ? -1 : 1));
  const manifest = { ...plugin.manifest, commands: Object.fromEntries(commands) };
  return new Map([['oclif.manifest.json', JSON.stringify(manifest)]]);
}
