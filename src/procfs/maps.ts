/** One file that a process has mapped (proc_pid_maps(5)): all mappings of one inode under one name, together. */
export interface MappedFile {
  /** The first mapping's address range, as /proc/PID/map_files names it. */
  range: string;
  /** Without the kernel's " (deleted)". */
  path: Buffer;
  deleted: boolean;
  /** major:minor, decimal, as in mountinfo. */
  device: string;
  inode: string;
  executable: boolean;
}

/**
 * The files in /proc/PID/maps, in order of their address; anonymous memory and the kernel's own areas are left out.
 * The kernel writes a newline in a name as `\012`, so a line is a mapping. Lines that are not of the form are skipped.
 */
export function parseMaps(bytes: Buffer): MappedFile[] {
  const files = new Map<string, MappedFile>();
  // latin1 keeps every byte; the path is turned back into bytes.
  for (const line of bytes.toString('latin1').split('\n')) {
    const match = LINE.exec(line);
    if (!match) continue;
    const [, range = '', permissions = '', major = '', minor = '', inode = '', name = ''] = match;
    if (inode === '0' || name === '') continue;
    const device = `${parseInt(major, 16)}:${parseInt(minor, 16)}`;
    const executable = permissions[2] === 'x';
    const key = `${device} ${inode} ${name}`;
    const known = files.get(key);
    if (known) {
      known.executable ||= executable;
      continue;
    }
    const deleted = name.endsWith(DELETED);
    const path = unescapeNewlines(deleted ? name.slice(0, -DELETED.length) : name);
    // The kernel prints leading zeros in `maps`, but not in the names of `map_files`.
    const address = range.replace(/(^|-)0+(?=[0-9a-f])/g, '$1');
    files.set(key, { range: address, path, deleted, device, inode, executable });
  }
  return [...files.values()];
}

function unescapeNewlines(name: string): Buffer {
  return Buffer.from(name.replaceAll('\\012', '\n'), 'latin1');
}

const LINE =
  /^([0-9a-f]{1,16}-[0-9a-f]{1,16}) ([r-][w-][x-][ps]) [0-9a-f]{1,16} ([0-9a-f]{1,8}):([0-9a-f]{1,8}) (\d{1,20}) *(.*)$/s;
const DELETED = ' (deleted)';
