/** One mount (proc_pid_mountinfo(5)). */
export interface Mount {
  id: number;
  parent: number;
  /** major:minor, decimal. */
  device: string;
  root: string;
  mountPoint: string;
  options: string;
  type: string;
  source: string;
  superOptions: string;
}

/** Lines that are not of the form are skipped; spaces, tabs, newlines and backslashes in names are unescaped. */
export function parseMountinfo(text: string): Mount[] {
  const mounts: Mount[] = [];
  for (const line of text.split('\n')) {
    const mount = parseLine(line);
    if (mount) mounts.push(mount);
  }
  return mounts;
}

function parseLine(line: string): Mount | null {
  const fields = line.split(' ');
  const [id = '', parent = '', device = '', root, mountPoint, options] = fields;
  // Optional fields (propagation) stand between the options and a lone dash.
  const dash = fields.indexOf('-', 6);
  const [type, source, superOptions = ''] = dash < 0 ? [] : fields.slice(dash + 1);
  if (root === undefined || mountPoint === undefined || options === undefined) return null;
  if (type === undefined || source === undefined) return null;
  if (!/^\d{1,10}$/.test(id) || !/^\d{1,10}$/.test(parent) || !/^\d{1,10}:\d{1,10}$/.test(device)) return null;
  return {
    id: Number(id),
    parent: Number(parent),
    device,
    root: unescape(root),
    mountPoint: unescape(mountPoint),
    options,
    type: unescape(type),
    source: unescape(source),
    superOptions: unescape(superOptions),
  };
}

/** seq_file escapes bytes as three octal digits. */
function unescape(name: string): string {
  if (!name.includes('\\')) return name;
  return name.replace(/\\([0-3][0-7]{2})/g, (_, octal: string) => String.fromCharCode(parseInt(octal, 8)));
}

/** What the options of the proc mount at `root` hide: `hidepid` other than 0 or off, or null. */
export function hidepidOf(mounts: readonly Mount[], root: string): string | null {
  // The last mount on a place covers those before it.
  const mount = mounts.findLast(({ type, mountPoint }) => type === 'proc' && mountPoint === root);
  const value = /(?:^|,)hidepid=([a-z0-9]+)/.exec(mount?.superOptions ?? '')?.[1];
  return value === undefined || value === '0' || value === 'off' ? null : value;
}
