import type { Db } from '../store/postgres.ts';
import { readSetting } from '../store/settings.ts';
import type { TemplateData, TemplateProduct } from '../templates/data.ts';

export interface Catalogue {
  refresh(): Promise<void>;
  readonly products: () => ReadonlyMap<string, TemplateProduct>;
  stop(): void;
}

const REFRESH_MS = 60_000;

/** The products that can be shown, by sku; read again every minute, so that prices and stock are today's. */
export async function openCatalogue(db: Db): Promise<Catalogue> {
  let products = new Map<string, TemplateProduct>();
  const read = async (): Promise<void> => {
    const { rows } = await db.query<TemplateProduct>(
      `select sku, title, category, price, url from product where stock is null or stock > 0`,
    );
    products = new Map(rows.map((row) => [row.sku, row]));
  };
  await read();
  const timer = setInterval(() => void read().catch(() => {}), REFRESH_MS);
  timer.unref();
  return { refresh: read, products: () => products, stop: () => clearInterval(timer) };
}

/** How the shop presents itself in mails; `kairos import` and the sample shop write it. */
export type ShopIdentity = TemplateData['shop'];

const UNNAMED: ShopIdentity = {
  name: 'Your shop',
  url: 'https://shop.example/',
  postalAddress: 'Your shop, 1 Main Street, 00000 Town',
  currency: 'EUR',
};

export async function readShop(db: Db): Promise<ShopIdentity> {
  return (await readSetting<ShopIdentity>(db, 'shop')) ?? UNNAMED;
}
