import type { TokenSubject } from '../../domain/link-token.ts';
import type { Db } from '../../store/postgres.ts';
import {
  type CampaignLinks,
  campaignLinks,
  messageVariant,
  productUrl,
} from '../../store/tracking.ts';
import { linkTarget } from '../../templates/links.ts';

/** Campaigns whose link tables are kept in memory: those of some weeks. */
const CAMPAIGNS_KEPT = 256;
const PRODUCTS_KEPT = 5_000;
const PRODUCT_TTL_MS = 60_000;
/** A reader waits no longer for a link; the page then asks to try again. */
const LOOKUP_MS = 3_000;

/**
 * Where a tracked link leads: always a row of the campaign's frozen link table, or the page of a product of the shop.
 * Nothing of the request is ever a part of the target.
 */
export class Targets {
  readonly #db: Db;
  readonly #campaigns = new Map<number, CampaignLinks>();
  readonly #products = new Map<string, { url: string | null; untilMs: number }>();

  constructor(db: Db) {
    this.#db = db;
  }

  /** The campaign's tables; null where it is gone. They are frozen, so the first answer holds. */
  async campaign(no: number): Promise<CampaignLinks | null> {
    const known = this.#campaigns.get(no);
    if (known) return known;
    const found = await inTime(campaignLinks(this.#db, no));
    if (found) keep(this.#campaigns, no, found, CAMPAIGNS_KEPT);
    return found;
  }

  /** Where link `ref` (a number, or `p` and a product's code) of the mail of `subject` leads, or null. */
  async resolve(subject: TokenSubject, ref: string): Promise<string | null> {
    const campaign = await this.campaign(subject.campaignNo);
    if (!campaign) return null;
    const found = campaign.variants.map((variant) =>
      linkTarget(Object.hasOwn(campaign.links, variant) ? campaign.links[variant]! : [], ref),
    );
    const product = found.find((target) => target?.kind === 'product');
    if (product) return this.#product(product.sku);
    const urls = found.map((target) => (target?.kind === 'url' ? target.url : null));
    const first = urls.find((url) => url !== null);
    if (first === undefined) return null;
    // Most variants differ in words, not in links: then the answer needs no look at the ledger.
    if (urls.every((url) => url === first)) return webAddress(first);
    const variant = await inTime(messageVariant(this.#db, subject));
    return webAddress(variant === null ? first : (urls[variant] ?? null));
  }

  async #product(sku: string): Promise<string | null> {
    if (sku.includes('\0') || !sku.isWellFormed()) return null;
    const known = this.#products.get(sku);
    if (known && known.untilMs > Date.now()) return known.url;
    const url = webAddress(await inTime(productUrl(this.#db, sku)));
    keep(this.#products, sku, { url, untilMs: Date.now() + PRODUCT_TTL_MS }, PRODUCTS_KEPT);
    return url;
  }
}

/** The address in its ASCII form where it is one of the web; mails must not lead to `javascript:` or `file:`. */
export function webAddress(text: string | null): string | null {
  if (text === null || !URL.canParse(text)) return null;
  const url = new URL(text);
  return url.protocol === 'https:' || url.protocol === 'http:' ? url.href : null;
}

/** The oldest entry goes when there are too many. */
function keep<K, V>(map: Map<K, V>, key: K, value: V, max: number): void {
  map.delete(key);
  map.set(key, value);
  if (map.size > max) map.delete(map.keys().next().value!);
}

/** The database did not answer in time. */
export class LookupTimeout extends Error {}

async function inTime<T>(work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new LookupTimeout('the database did not answer')), LOOKUP_MS);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
