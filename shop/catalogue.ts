import type { ProductRecord } from '../domain/records.ts';
import { Random, STREAM, cumulative } from './random.ts';

/** The sample shop's shelves: what is sold, and who picks what at which level of spending. */
export interface Category {
  readonly name: string;
  /** Share of the average customer's taste. */
  readonly share: number;
  /** Median price in EUR. */
  readonly price: number;
  readonly nouns: readonly string[];
  readonly uses: readonly string[];
  readonly details: readonly string[];
}

const list = (text: string): readonly string[] => text.split(',').map((part) => part.trim());
const category = (
  name: string,
  share: number,
  price: number,
  nouns: string,
  uses: string,
  details: string,
): Category => ({
  name,
  share,
  price,
  nouns: list(nouns),
  uses: list(uses),
  details: list(details),
});

export const CATEGORIES: readonly Category[] = [
  category(
    'Coffee',
    13,
    16,
    'Espresso, Filter Roast, Cold Brew, House Blend, Decaf',
    'slow mornings, the office, a first visit',
    'roasted weekly, notes of cocoa, notes of citrus, single farm',
  ),
  category(
    'Tea',
    8,
    11,
    'Earl Grey, Sencha, Rooibos, Assam, Mint Blend',
    'quiet evenings, rainy days, guests',
    'picked in spring, loose leaf, a light cup, a strong cup',
  ),
  category(
    'Kitchen',
    12,
    34,
    'Chef’s Knife, Cast-iron Pan, Mixing Bowl, Cutting Board, Casserole',
    'everyday cooking, large tables, small kitchens',
    'steel and oak, enamelled, stoneware, easy to clean',
  ),
  category(
    'Garden',
    9,
    24,
    'Pruning Shears, Watering Can, Seed Set, Raised Bed, Trowel',
    'balconies, kitchen gardens, allotments',
    'galvanised, ash handle, open-pollinated, larch',
  ),
  category(
    'Camping',
    7,
    58,
    'Tent, Sleeping Bag, Lantern, Camp Stove, Hammock',
    'weekends outdoors, long tours, festivals',
    'waterproof, two kilograms, ripstop, packs small',
  ),
  category(
    'Cycling',
    8,
    46,
    'Pannier, Helmet, Bike Light, Jersey, Repair Kit',
    'the daily way, gravel roads, winter rides',
    'reflective, merino, aluminium, rechargeable',
  ),
  category(
    'Running',
    9,
    62,
    'Trail Shoe, Running Vest, Head Torch, Shorts, Water Flask',
    'first steps, marathons, the woods',
    'light, breathable, recycled yarn, wide fit',
  ),
  category(
    'Yoga',
    6,
    28,
    'Yoga Mat, Cork Block, Bolster, Strap, Leggings',
    'home practice, the studio, travelling',
    'natural rubber, organic cotton, cork, washable',
  ),
  category(
    'Stationery',
    8,
    9,
    'Notebook, Fountain Pen, Pencil Set, Planner, Letter Paper',
    'plans, letters, sketches',
    'dotted pages, thread-bound, cedar, fine nib',
  ),
  category(
    'Lighting',
    5,
    72,
    'Desk Lamp, Pendant, Floor Lamp, Candle Holder, Lantern Set',
    'reading corners, long tables, hallways',
    'dimmable, brass, mouth-blown glass, paper shade',
  ),
  category(
    'Bath',
    8,
    14,
    'Soap Bar, Towel, Bath Salts, Wash Mitt, Hair Oil',
    'small breaks, presents, sensitive skin',
    'unscented, lavender, organic, plastic-free',
  ),
  category(
    'Home Textiles',
    7,
    39,
    'Throw, Cushion, Bed Linen, Table Cloth, Rug',
    'sofas, guests, cold feet',
    'washed linen, lambswool, organic cotton, handwoven',
  ),
];

const MAKES = list(
  'Alder, Birch, Cove, Dune, Ember, Fjord, Grove, Harbour, Isle, Juniper, Kestrel, Linden, Moor, North',
);
const KINDS = list('Classic, Light, Pro, Small, Large, Recycled, Limited, Everyday, Travel');
const PROMISES = list(
  'made to be repaired, tested by our own staff, from a family workshop, with five years of warranty, climate neutral to your door',
);

export const PRODUCTS_PER_CATEGORY = 25;
/** Levels of spending; the higher the level, the dearer the products a person looks for. */
export const PRICE_LEVELS = 16;

export interface Catalogue {
  readonly products: readonly ProductRecord[];
  /** By category: the indices of its products. */
  readonly byCategory: readonly (readonly number[])[];
  /** Mean rating that a product earns, 1–5. */
  readonly quality: Float64Array;
  /** By level and category: cumulative weights over the category's products. */
  readonly choice: readonly (readonly Float64Array[])[];
  /** By level and category: mean price of what is chosen, EUR. */
  readonly meanPrice: readonly Float64Array[];
}

export function createCatalogue(seed: number): Catalogue {
  const products: ProductRecord[] = [];
  const byCategory: number[][] = [];
  const qualities: number[] = [];
  CATEGORIES.forEach((shelf, number) => {
    const random = new Random(seed, STREAM.catalogue, number);
    const indices: number[] = [];
    for (let n = 0; n < PRODUCTS_PER_CATEGORY; n += 1) {
      indices.push(products.length);
      products.push(makeProduct(shelf, number, n, random));
      qualities.push(2.9 + 1.9 * random.beta(4, 2));
    }
    byCategory.push(indices);
  });
  return {
    products,
    byCategory,
    quality: Float64Array.from(qualities),
    ...choiceTables(products, byCategory, seed),
  };
}

function makeProduct(shelf: Category, number: number, n: number, random: Random): ProductRecord {
  const noun = shelf.nouns[n % shelf.nouns.length]!;
  const make = MAKES[(n * 5 + number * 3 + random.below(3)) % MAKES.length]!;
  const kind = KINDS[Math.floor(n / shelf.nouns.length + random.below(2)) % KINDS.length]!;
  const sku = `${shelf.name.slice(0, 3).toUpperCase()}-${String(n + 1).padStart(3, '0')}`;
  // Prices end as shops like them to: 12.90, 34.50.
  const price = Math.max(
    2.5,
    Math.round(shelf.price * Math.exp(0.55 * random.normal())) - random.pick([0.1, 0.5]),
  );
  const title = `${make} ${noun} ${kind}`;
  const description = `${title} for ${random.pick(shelf.uses)}: ${random.pick(shelf.details)}, ${random.pick(PROMISES)}.`;
  return {
    sku,
    title,
    category: shelf.name,
    price: Math.round(price * 100) / 100,
    currency: 'EUR',
    stock: random.chance(0.06) ? 0 : Math.round(Math.exp(random.between(1.5, 6))),
    description,
    url: `https://shop.example/p/${sku.toLowerCase()}`,
  };
}

/** Choice within a category: popularity (Zipf) times nearness of the price to the person's level. */
function choiceTables(
  products: readonly ProductRecord[],
  byCategory: readonly (readonly number[])[],
  seed: number,
): Pick<Catalogue, 'choice' | 'meanPrice'> {
  const choice: Float64Array[][] = [];
  const meanPrice: Float64Array[] = [];
  const popularity = byCategory.map((indices, number) =>
    zipf(indices.length, new Random(seed, STREAM.catalogue, 100 + number)),
  );
  for (let level = 0; level < PRICE_LEVELS; level += 1) {
    const wanted = (level + 0.5) / PRICE_LEVELS;
    const means = new Float64Array(byCategory.length);
    choice.push(
      byCategory.map((indices, number) => {
        const byPrice = indices.toSorted((a, b) => products[a]!.price - products[b]!.price);
        const weights = indices.map((index, place) => {
          const rank = (byPrice.indexOf(index) + 0.5) / indices.length;
          return popularity[number]![place]! * Math.exp(-0.5 * ((rank - wanted) / 0.22) ** 2);
        });
        const sum = weights.reduce((total, weight) => total + weight, 0);
        means[number] = indices.reduce(
          (total, index, place) => total + (products[index]!.price * weights[place]!) / sum,
          0,
        );
        return cumulative(weights);
      }),
    );
    meanPrice.push(means);
  }
  return { choice, meanPrice };
}

function zipf(count: number, random: Random): number[] {
  const ranks = Array.from({ length: count }, (_, rank) => rank);
  for (let i = count - 1; i > 0; i -= 1) {
    const j = random.below(i + 1);
    [ranks[i], ranks[j]] = [ranks[j]!, ranks[i]!];
  }
  return ranks.map((rank) => 1 / (rank + 2) ** 0.8);
}
