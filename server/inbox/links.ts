import { type MimeParts, readParts } from './mime.ts';

/** What of a mail leads somewhere: for the sample shop's people, for tests, and for the page's list of links. */
export interface MailLinks {
  /** Targets of the HTML part's links in their order, with the text that a reader sees. */
  readonly links: readonly { readonly href: string; readonly text: string }[];
  /** Addresses of the HTML part's pictures. */
  readonly images: readonly string[];
  readonly unsubscribe: {
    /** The first http(s) address of List-Unsubscribe; null where there is none. */
    readonly url: string | null;
    readonly mailto: string | null;
    /** RFC 8058: List-Unsubscribe-Post says that a POST unsubscribes. */
    readonly oneClick: boolean;
  };
}

export interface ReadMail extends MailLinks {
  readonly text: string;
  readonly html: string;
}

/** More links or pictures than this are not listed. */
const LINKS_MAX = 1_000;
/** Where a link's text ends for us, closed or not. */
const LINK_TEXT_MAX = 2_000;

export function readMail(raw: Buffer): ReadMail {
  const parts = readParts(raw);
  return {
    text: parts.text || plainText(parts.html),
    html: parts.html,
    links: parts.html === '' ? textLinks(parts.text) : anchors(parts.html),
    images: tags(parts.html, 'img').flatMap(({ attributes }) => attribute(attributes, 'src') ?? []),
    unsubscribe: unsubscribeOf(parts),
  };
}

function unsubscribeOf({ headers }: MimeParts): MailLinks['unsubscribe'] {
  const targets = [...(headers.get('list-unsubscribe') ?? '').matchAll(/<([^<>\s]+)>/g)].map(
    ([, target]) => target!,
  );
  return {
    url: targets.find((target) => /^https?:/i.test(target)) ?? null,
    mailto: targets.find((target) => /^mailto:/i.test(target)) ?? null,
    oneClick: /^List-Unsubscribe=One-Click$/i.test(headers.get('list-unsubscribe-post') ?? ''),
  };
}

function anchors(html: string): { href: string; text: string }[] {
  return tags(html, 'a').flatMap(({ attributes, end }) => {
    const href = attribute(attributes, 'href');
    if (href === null || href.startsWith('#')) return [];
    const inside = html.slice(end, end + LINK_TEXT_MAX).split(/<\/a[\s>]/i, 1)[0]!;
    return [{ href, text: plainText(inside).replaceAll(/\s+/g, ' ').trim().slice(0, 200) }];
  });
}

function textLinks(text: string): { href: string; text: string }[] {
  const found = text.matchAll(/https?:\/\/[^\s<>"]+/g);
  return Array.from(found, ([href]) => ({ href, text: '' })).slice(0, LINKS_MAX);
}

/** Opening tags of one name: the text between the name and the closing bracket. */
function tags(html: string, name: string): { attributes: string; end: number }[] {
  const found: { attributes: string; end: number }[] = [];
  const pattern = new RegExp(`<${name}(?=\\s)`, 'gi');
  for (
    let match = pattern.exec(html);
    match && found.length < LINKS_MAX;
    match = pattern.exec(html)
  ) {
    const end = html.indexOf('>', match.index);
    if (end < 0) break;
    found.push({ attributes: html.slice(match.index + name.length + 1, end), end: end + 1 });
  }
  return found;
}

const ATTRIBUTE = {
  href: /\shref\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"'>]+))/i,
  src: /\ssrc\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"'>]+))/i,
} as const;

function attribute(attributes: string, name: keyof typeof ATTRIBUTE): string | null {
  const match = ATTRIBUTE[name].exec(attributes);
  const value = match?.[1] ?? match?.[2] ?? match?.[3];
  return value === undefined ? null : entities(value.trim());
}

const NAMED: Readonly<Record<string, string>> = {
  amp: '&',
  lt: '<',
  gt: '>',
  quot: '"',
  apos: "'",
  nbsp: ' ',
  rarr: '→',
  larr: '←',
  hellip: '…',
  ndash: '–',
  mdash: '—',
  middot: '·',
  copy: '©',
  euro: '€',
  zwnj: '',
  shy: '',
};

function entities(text: string): string {
  if (!text.includes('&')) return text;
  return text.replaceAll(
    /&(?:#(\d{1,7})|#[xX]([\da-fA-F]{1,6})|([a-z]{2,6}));/g,
    (all, dec, hex, name) => {
      if (name) return NAMED[name as string] ?? all;
      const code = dec ? Number(dec) : Number.parseInt(hex as string, 16);
      return code > 0 && code <= 0x10ffff ? String.fromCodePoint(code) : all;
    },
  );
}

/** Elements whose content nobody reads. */
const UNREAD = /^<(style|script|head|title)(?=[\s>])/i;

/** What a reader sees of HTML, roughly. One pass: a mail must not be able to keep us busy. */
function plainText(html: string): string {
  let text = '';
  let at = 0;
  for (;;) {
    const open = html.indexOf('<', at);
    if (open < 0) return entities(text + html.slice(at));
    text += html.slice(at, open);
    const name = UNREAD.exec(html.slice(open, open + 10))?.[1];
    const end = name ? closingOf(html, name, open) : html.indexOf('>', open);
    if (end < 0) return entities(text);
    text += ' ';
    at = end + 1;
  }
}

function closingOf(html: string, name: string, from: number): number {
  const close = new RegExp(`</${name}\\s*>`, 'gi');
  close.lastIndex = from;
  const match = close.exec(html);
  return match ? match.index + match[0].length - 1 : -1;
}
