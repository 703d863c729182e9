import { expandLabel, HmacKey } from './hmac-key.js';

/** What differs between the versions of QUIC whose Initial packets can be read. */
export interface QuicVersion {
  /** Initial salt (RFC 9001 section 5.2, RFC 9369 section 3.3.1). */
  readonly salt: HmacKey;
  /** What key, iv and header protection are derived by. */
  readonly labels: Labels;
  /** Long packet types (RFC 9000 section 17.2, RFC 9369 section 3.2); the others carry no hello. */
  readonly initialType: number;
  readonly retryType: number;
}

/** Null for versions whose salt is not known, and for version negotiation (0). */
export function quicVersion(version: number): QuicVersion | null {
  if (version === 1) return V1;
  if (version === 0x6b3343cf) return V2;
  if (version === 0x709a50c4) return V2_DRAFT;
  // 0xff0000NN is draft NN.
  if (version >>> 8 !== 0xff0000) return null;
  const draft = version & 0xff;
  if (draft >= 33 && draft <= 34) return V1;
  if (draft >= 29 && draft <= 32) return DRAFT_29;
  return draft >= 23 && draft <= 28 ? DRAFT_23 : null;
}

interface Labels {
  readonly key: Buffer;
  readonly iv: Buffer;
  readonly hp: Buffer;
}

function salt(hex: string): HmacKey {
  return new HmacKey(Buffer.from(hex, 'hex'));
}

function labels(prefix: string): Labels {
  return {
    key: expandLabel(`${prefix} key`, 16),
    iv: expandLabel(`${prefix} iv`, 12),
    hp: expandLabel(`${prefix} hp`, 16),
  };
}

const V1: QuicVersion = {
  salt: salt('38762cf7f55934b34d179ae6a4c80cadccbb7f0a'),
  labels: labels('quic'),
  initialType: 0,
  retryType: 3,
};
const V2: QuicVersion = {
  salt: salt('0dede3def700a6db819381be6e269dcbf9bd2ed9'),
  labels: labels('quicv2'),
  initialType: 1,
  retryType: 0,
};
/** draft-ietf-quic-v2-01 to -05: the salt is another one. */
const V2_DRAFT: QuicVersion = { ...V2, salt: salt('a707c203a59b47184a1d62ca570406ea7ae3e5d3') };
const DRAFT_29: QuicVersion = { ...V1, salt: salt('afbfec289993d24c9e9786f19c6111e04390a899') };
const DRAFT_23: QuicVersion = { ...V1, salt: salt('c3eef712c72ebb5a11a7d2432bb46365bef9f502') };
