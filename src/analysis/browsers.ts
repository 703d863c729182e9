import { commonClient } from '../intel/common-clients.js';
import type { Handshake } from '../snapshot/schema/handshake.js';

/** A browser whose hello this is, and how that is known. */
export interface BrowserLikeness {
  readonly browser: string;
  /** `exact` where the whole fingerprint is listed; `suites` where only its list of cipher suites is. */
  readonly by: 'exact' | 'suites';
  readonly source: string;
}

/** The browser that sends such a hello; null where none is known to. */
export function browserLike(fingerprints: NonNullable<Handshake['fingerprints']>): BrowserLikeness | null {
  const { ja3, ja4 } = fingerprints;
  for (const fingerprint of [ja4, ja3]) {
    const known = fingerprint === undefined ? null : commonClient(fingerprint);
    if (known && BROWSER_NAME.test(known.name)) return { browser: known.name, by: 'exact', source: known.source };
  }
  const [, suites] = /^t13[di]\d{4}h2_([0-9a-f]{12})_/.exec(ja4 ?? '') ?? [];
  const known = suites === undefined ? undefined : SUITES[suites];
  return known ? { browser: known[0], by: 'suites', source: known[1] } : null;
}

/** Whether an executable is a browser or carries a browser's engine, by its name. The name is the only thing to go by. */
export function isBrowser(exe: string): boolean {
  return BROWSER_FILE.test(exe.slice(exe.lastIndexOf('/') + 1).toLowerCase());
}

const BROWSER_NAME = /^(?:Chrom|Google Chrome|Firefox|Safari)/;
/**
 * The second section of JA4, which is the cipher suites alone. A browser keeps it for years, while its extensions
 * change with every few versions; two clients with the same long list share the library and its settings.
 */
const SUITES: Readonly<Record<string, readonly [browser: string, source: string]>> = {
  '8daaf6152771': ['Chromium browsers', 'FoxIO, technical_details/JA4.md; measured on Chromium for Debian 12'],
  '5b57614c22b0': ['Firefox', 'FoxIO and Suricata, test captures of Firefox 105'],
  a09f3c656075: ['Safari', 'uTLS, preset of Safari 16'],
};
/** Browsers, programs on Electron, and embedded engines: they send a browser's hello because they are one inside. */
const BROWSER_FILE =
  /^(?:(?:google-)?chrome|chromium|headless[-_]shell|msedge|microsoft-edge|brave|opera|vivaldi|firefox|thunderbird|librewolf|waterfox|palemoon|seamonkey|epiphany|falkon|konqueror|midori|qutebrowser|electron|webkitnetworkprocess|webkitwebprocess|qtwebengineprocess|cefsharp|steamwebhelper|code|codium|slack|discord|teams|signal-desktop|element-desktop|skypeforlinux|spotify|obsidian)(?:[-_.]|$)/;
