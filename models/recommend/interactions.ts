import { MS_PER_DAY } from '../../domain/clock.ts';
import { checkParam, invalid } from '../check.ts';

/** One thing that a person did with a product. */
export interface Interaction {
  readonly person: string;
  readonly item: string;
  /** Such as "view", "cart", "order", "return", "rating". */
  readonly signal: string;
  readonly atMs: number;
  /** Times the weight of the signal; 1 where absent. */
  readonly value?: number;
}

export interface InteractionOptions {
  /** What one of each signal is worth; what is not named here is not counted. */
  readonly weights?: Readonly<Record<string, number>>;
  /** After so many days an interaction is worth half; no decay where absent. */
  readonly halfLifeDays?: number;
  /** The moment that ages are counted from; later interactions are left out. The latest one where absent. */
  readonly asOfMs?: number;
  /** Products with fewer people are left out, since nothing can be learnt of them. 1 by default. */
  readonly minPeople?: number;
  /** The most that one pair can be worth: 1 makes it yes or no. No bound where absent. */
  readonly cap?: number;
}

/** A return takes an order back; a view is a hint. Shops with data of their own should set theirs. */
export const SIGNAL_WEIGHTS: Readonly<Record<string, number>> = {
  view: 0.2,
  cart: 0.5,
  order: 1,
  return: -1,
  rating: 0.5,
  review: 0.5,
};

/** People × products in compressed sparse rows, each row by ascending item. Nothing depends on the order of events. */
export interface Interactions {
  readonly people: readonly string[];
  readonly items: readonly string[];
  /** Of person p: pairs from `start[p]` to `start[p + 1]`. */
  readonly start: Int32Array;
  readonly item: Int32Array;
  /** Above 0. */
  readonly weight: Float64Array;
  /** When the person last did something with the item. */
  readonly lastMs: Float64Array;
  readonly asOfMs: number;
}

/** MODEL_INVALID for a time or value that is no number, and where nothing is left. */
export function interactionsOf(
  events: readonly Interaction[],
  options: InteractionOptions = {},
): Interactions {
  const { weights = SIGNAL_WEIGHTS, halfLifeDays = Infinity, minPeople = 1, cap } = options;
  checkParam('minPeople', minPeople, 1, 1_000_000);
  if (!(halfLifeDays > 0)) checkParam('halfLifeDays', halfLifeDays, 0.001, 36_500);
  const asOfMs = options.asOfMs ?? events.reduce((max, e) => Math.max(max, e.atMs), 0);
  const pairs = sumPairs(events, { weights, halfLifeDays, asOfMs });
  const people = new Map<string, number>();
  for (const { item } of pairs) people.set(item, (people.get(item) ?? 0) + 1);
  const kept = pairs.filter(({ item }) => people.get(item)! >= minPeople);
  if (kept.length === 0) {
    throw invalid(
      'There is nothing to recommend from: no interaction is left; expected at least one pair of a person and a product.',
    );
  }
  const items = [...new Set(kept.map(({ item }) => item))].toSorted();
  const place = new Map(items.map((item, at) => [item, at]));
  const names = [...new Set(kept.map(({ person }) => person))].toSorted();
  const start = new Int32Array(names.length + 1);
  const row = new Map(names.map((name, at) => [name, at]));
  for (const { person } of kept) start[row.get(person)! + 1]!++;
  for (let p = 0; p < names.length; p++) start[p + 1]! += start[p]!;
  // `kept` is in order of person and item already.
  return {
    people: names,
    items,
    start,
    item: Int32Array.from(kept, ({ item }) => place.get(item)!),
    weight: Float64Array.from(kept, ({ weight }) => Math.min(weight, cap ?? weight)),
    lastMs: Float64Array.from(kept, ({ lastMs }) => lastMs),
    asOfMs,
  };
}

interface Pair {
  readonly person: string;
  readonly item: string;
  weight: number;
  lastMs: number;
}

/** Sums of one pair, in an order that does not depend on how events arrived, since floats do. */
function sumPairs(
  events: readonly Interaction[],
  {
    weights,
    halfLifeDays,
    asOfMs,
  }: Required<Pick<InteractionOptions, 'weights' | 'halfLifeDays' | 'asOfMs'>>,
): Pair[] {
  const counted = events.filter((event, at) => {
    if (!Number.isFinite(event.atMs) || !Number.isFinite(event.value ?? 1)) {
      throw invalid(`Interaction ${at} has a time or value that is no number.`, { row: at });
    }
    return event.atMs <= asOfMs && Object.hasOwn(weights, event.signal);
  });
  const worth = (event: Interaction): number =>
    weights[event.signal]! *
    (event.value ?? 1) *
    2 ** (-(asOfMs - event.atMs) / MS_PER_DAY / halfLifeDays);
  const ordered = counted
    .map((event) => ({ event, worth: worth(event) }))
    .sort(
      (a, b) =>
        compare(a.event.person, b.event.person) ||
        compare(a.event.item, b.event.item) ||
        a.event.atMs - b.event.atMs ||
        a.worth - b.worth,
    );
  const pairs: Pair[] = [];
  for (const { event, worth: weight } of ordered) {
    const last = pairs.at(-1);
    if (last?.person === event.person && last.item === event.item) {
      last.weight += weight;
      last.lastMs = event.atMs;
    } else {
      pairs.push({ person: event.person, item: event.item, weight, lastMs: event.atMs });
    }
  }
  return pairs.filter(({ weight }) => weight > 0);
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** The same by product: who did something with each. */
export interface ByItem {
  readonly start: Int32Array;
  readonly person: Int32Array;
  readonly weight: Float64Array;
}

export function byItem(X: Interactions): ByItem {
  const start = new Int32Array(X.items.length + 1);
  for (const item of X.item) start[item + 1]!++;
  for (let i = 0; i < X.items.length; i++) start[i + 1]! += start[i]!;
  const next = start.slice(0, -1);
  const person = new Int32Array(X.item.length);
  const weight = new Float64Array(X.item.length);
  for (let p = 0; p < X.people.length; p++) {
    for (let e = X.start[p]!; e < X.start[p + 1]!; e++) {
      const at = next[X.item[e]!]!++;
      person[at] = p;
      weight[at] = X.weight[e]!;
    }
  }
  return { start, person, weight };
}

/** People of each item. */
export function peopleOf(X: Interactions): Int32Array {
  const people = new Int32Array(X.items.length);
  for (const item of X.item) people[item]!++;
  return people;
}
