/**
 * The strict grammar for addresses that Kairos mails to: ASCII dot-atom @ DNS name (RFC 5321 §4.1.2 without quoted
 * strings and literals). Mailers disagree on everything looser, and each disagreement has been a security advisory.
 */
const ATOM = "[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+";
const LOCAL = new RegExp(`^${ATOM}(?:\\.${ATOM})*$`);
const LABEL = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;

export interface MailAddress {
  readonly local: string;
  /** Lower-case ASCII; international names in their A-label form. */
  readonly domain: string;
}

/** Parses one bare address; null where it does not keep to the grammar. `toAscii` maps an IDN to its A-labels. */
export function parseAddress(
  text: string,
  toAscii: (domain: string) => string = (domain) => domain,
): MailAddress | null {
  if (text.length > 254) return null;
  const at = text.lastIndexOf('@');
  if (at < 1 || at > 64) return null;
  const local = text.slice(0, at);
  const domain = toAscii(text.slice(at + 1)).toLowerCase();
  const labels = domain.split('.');
  if (!LOCAL.test(local) || labels.length < 2 || domain.length > 253) return null;
  if (!labels.every((label) => LABEL.test(label)) || /^\d+$/.test(labels.at(-1)!)) return null;
  return { local, domain };
}

export function formatAddress(address: MailAddress): string {
  return `${address.local}@${address.domain}`;
}

/**
 * The unit of suppression, caps and holdouts: case folded, and `+tag` dropped, so that one mailbox is one unit however
 * it is written. Dots are kept: only Gmail ignores them, and guessing wrong would merge two people.
 */
export function addressUnit(address: MailAddress): string {
  const plus = address.local.indexOf('+');
  const local = plus > 0 ? address.local.slice(0, plus) : address.local;
  return `${local.toLowerCase()}@${address.domain}`;
}
