import { readOffer } from './offers.ts';
import type { ReadMail } from './people.ts';

/** A mail as the dev inbox's API lists it with `parts=1`; times are the wall clock's. */
export interface InboxMail {
  readonly seq: number;
  readonly receivedAtMs: number;
  readonly to: readonly string[];
  readonly subject: string;
  readonly text: string;
  readonly links: readonly { readonly href: string; readonly text: string }[];
  readonly images: readonly string[];
  readonly unsubscribe: { readonly url: string | null; readonly oneClick: boolean };
}

export interface ReadingDeps {
  /** Shop time of an instant of the wall clock: when a mail arrived. */
  toShopMs(wallMs: number): number;
  /** The occasion of a mail: the id of its campaign. Seeds the reader's mood, see `people.ts`. */
  campaignOf(mail: InboxMail): string;
  /** Scheme, host and port of the tracking server: links elsewhere are not touched. */
  readonly trackingOrigin: string;
}

export interface ReadableMail extends ReadMail {
  /** Where the links to the shop lead, in their order. */
  readonly shopLinks: readonly string[];
  /** The open pixel; null where there is none of ours. */
  readonly pixel: string | null;
}

/** What a reader sees in a mail: its offer, its links to the shop, and (their mail program does) its open pixel. */
export function readMail(deps: ReadingDeps, mail: InboxMail): ReadableMail {
  const ours = (url: string): boolean => URL.parse(url)?.origin === deps.trackingOrigin;
  const shopLinks = mail.links
    .filter(({ href, text }) => ours(href) && href !== mail.unsubscribe.url && !LEAVING.test(text))
    .map(({ href }) => href);
  return {
    campaign: deps.campaignOf(mail),
    offer: readOffer(`${mail.subject}\n${mail.text}`),
    links: shopLinks.length,
    sentAtMs: deps.toShopMs(mail.receivedAtMs),
    shopLinks,
    pixel: mail.images.find(ours) ?? null,
  };
}

const LEAVING = /unsubscribe|abmelden|abbestellen|view (?:it )?(?:online|in (?:your )?browser)/i;
