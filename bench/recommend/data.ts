import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { parse } from 'csv-parse/sync';
import { Random } from '../../models/random.ts';
import { interactionsOf } from '../../models/recommend/interactions.ts';
import type { Interaction, Interactions } from '../../models/recommend/interactions.ts';

const FOLDER = new URL('../../../shared/data/', import.meta.url);
type Row = Readonly<Record<string, string>>;

function csv(path: string): Row[] {
  const bytes = readFileSync(new URL(path, FOLDER));
  return parse(path.endsWith('.gz') ? gunzipSync(bytes) : bytes, { columns: true });
}

/** A shop with a fixed split: what is learnt from, and what each person took later that was new for them. */
export interface Split {
  readonly events: readonly Interaction[];
  readonly train: Interactions;
  /** By row of `train`: numbers of items, none of them in the row. */
  readonly test: ReadonlyMap<number, ReadonlySet<number>>;
  /** Title and categories of each item. */
  readonly text: ReadonlyMap<string, string>;
  /** The split that weights of the hybrid are learnt on: within `train`, made in the same manner. */
  readonly inner: () => Pick<Split, 'train' | 'test'>;
}

export const MOVIELENS = 'movielens-100k/ratings.csv.gz';
export const RETAIL = 'online-retail/online-retail.csv.gz';

export function movieLens(): Split {
  const ratings = csv(MOVIELENS);
  const events = (fold: string): Interaction[] =>
    ratings
      .filter((row) => row['fold'] === fold)
      .map((row) => ({
        person: row['user']!,
        item: row['item']!,
        signal: 'order',
        atMs: Number(row['ts']) * 1e3,
      }));
  const [train, test] = [events('train'), events('test')];
  const text = new Map(
    csv('movielens-100k/items.csv').map((row) => [
      row['item']!,
      `${row['title']} ${row['genres']!.replaceAll('|', ' ')}`,
    ]),
  );
  return {
    ...split(train, test, 1),
    events: train,
    text,
    inner: () => {
      const random = new Random(1);
      const later = new Set(train.filter(() => random.next() < 0.25));
      return split(
        train.filter((e) => !later.has(e)),
        [...later],
        1,
      );
    },
  };
}

const DAY = 86_400_000;

/** Lines with a customer, quantity and price above 0, not cancelled; train before 2011-10-01, at least 10 buyers. */
export function onlineRetail(): Split {
  const lines = csv(RETAIL).filter(
    (row) =>
      row['CustomerID'] !== '' &&
      !row['InvoiceNo']!.startsWith('C') &&
      Number(row['Quantity']) > 0 &&
      Number(row['UnitPrice']) > 0,
  );
  const text = new Map(lines.map((row) => [row['StockCode']!, row['Description']!]));
  const all = lines.map((row) => ({
    person: row['CustomerID']!,
    item: row['StockCode']!,
    signal: 'order',
    atMs: Date.parse(`${row['InvoiceDate']}Z`),
  }));
  const at = Date.parse('2011-10-01T00:00:00Z');
  const cut = (ms: number, endMs: number) =>
    split(
      all.filter((e) => e.atMs < ms),
      all.filter((e) => e.atMs >= ms && e.atMs < endMs),
      10,
    );
  return {
    ...cut(at, Number.POSITIVE_INFINITY),
    events: all.filter((e) => e.atMs < at),
    text,
    inner: () => cut(at - 42 * DAY, at),
  };
}

function split(
  before: readonly Interaction[],
  after: readonly Interaction[],
  minPeople: number,
): Pick<Split, 'train' | 'test'> {
  const train = interactionsOf(before, { minPeople, cap: 1 });
  const items = new Map(train.items.map((item, i) => [item, i]));
  const people = new Map(train.people.map((person, p) => [person, p]));
  const test = new Map<number, Set<number>>();
  for (const { person, item } of after) {
    const [p, i] = [people.get(person), items.get(item)];
    if (p === undefined || i === undefined) continue;
    if (train.item.subarray(train.start[p]!, train.start[p + 1]!).includes(i)) continue;
    const taken = test.get(p);
    if (taken) taken.add(i);
    else test.set(p, new Set([i]));
  }
  return { train, test };
}
