import { checkParam, invalid } from '../check.ts';
import type { Matrix } from '../matrix.ts';
import { columnOf } from '../matrix.ts';
import { Random } from '../random.ts';
import type { FittedBgNbd } from './bg-nbd.ts';
import { aliveProbability, parametersOf } from './bg-nbd.ts';
import { betaDraw, gammaDraw } from './draws.ts';
import type { FittedGammaGamma } from './gamma-gamma.ts';
import { checkHistories } from './histories.ts';
import { parameterDraws } from './parameter-draws.ts';

export interface LifetimeValueOptions {
  /** How far ahead, in the units of T. */
  readonly horizon: number;
  /** Discount for one unit of T, such as 0.002 a week for 11 % a year; 0 by default. */
  readonly discount?: number;
  /** Share of the margin in a purchase's value; 1 by default: revenue. */
  readonly margin?: number;
  /** Share of futures inside the interval; 0.8 by default. */
  readonly level?: number;
  /** Simulated futures of each person; 400 by default. */
  readonly draws?: number;
  readonly seed?: number;
}

/** A number for each person, and the interval that so many of their futures lie in. */
export interface Expected {
  readonly mean: Float64Array;
  readonly low: Float64Array;
  readonly high: Float64Array;
}

export interface LifetimeValue {
  /** P(alive); the interval is that of the parameters alone. */
  readonly alive: Expected;
  /** Days with a purchase within the horizon: whole numbers in the interval, since a person buys or does not. */
  readonly purchases: Expected;
  /** Discounted worth of those purchases, in the units of `value`. */
  readonly value: Expected;
  /** Worth of all these people together, whose chances even out. */
  readonly total: { readonly mean: number; readonly low: number; readonly high: number };
}

/**
 * What each person will be worth. Means are the models' formulas; intervals come from simulated futures, each under
 * parameters drawn from their own uncertainty: the rate and the chance to leave are drawn given the person's history
 * (if alive, gamma(r + x, α + T) and beta(a, b + x): the likelihood of being alive is a product of both), then
 * purchases until they leave or the horizon ends, then their worth. Values come in the columns that both models read.
 */
export function lifetimeValue(
  bgNbd: FittedBgNbd,
  gammaGamma: FittedGammaGamma,
  X: Matrix,
  options: LifetimeValueOptions,
): LifetimeValue {
  const { horizon, discount = 0, margin = 1, level = 0.8, draws = 400, seed = 1 } = options;
  checkParam('horizon', horizon, Number.MIN_VALUE, 1e6);
  checkParam('discount', discount, 0, 0.999);
  checkParam('margin', margin, Number.MIN_VALUE, 1);
  checkParam('level', level, 0.01, 0.999);
  checkParam('draws', draws, 20, 100_000);
  checkPair(bgNbd, gammaGamma);
  const perPurchase = gammaGamma.predict(X);
  const alive = bgNbd.predictProba(X);
  const expected = discountedPurchases(bgNbd, X, horizon, discount);
  const world = worldsOf(bgNbd, gammaGamma, draws, seed);
  const result = {
    alive: empty(alive),
    purchases: empty(bgNbd.expectedPurchases(X, horizon)),
    value: empty(expected.map((count, i) => margin * count * perPurchase[i]!)),
  };
  const [x, recency, T] = checkHistories(X).map((j) => columnOf(X, j)) as [
    Float64Array,
    Float64Array,
    Float64Array,
  ];
  const value = columnOf(X, X.names.indexOf('value'));
  const totals = new Float64Array(draws);
  const [chances, counts, worths] = Array.from({ length: 3 }, () => new Float64Array(draws)) as [
    Float64Array,
    Float64Array,
    Float64Array,
  ];
  for (let i = 0; i < X.rows; i++) {
    const random = new Random(seed, i + 1);
    const person = { x: x[i]!, recency: recency[i]!, T: T[i]!, value: value[i]! };
    for (let d = 0; d < draws; d++) {
      const future = simulate(world[d]!, person, horizon, discount, random);
      chances[d] = future.alive;
      counts[d] = future.purchases;
      worths[d] = margin * future.worth;
      totals[d]! += worths[d]!;
    }
    write(result.alive, i, chances, level);
    write(result.purchases, i, counts, level);
    write(result.value, i, worths, level);
  }
  const mean = result.value.mean.reduce((sum, each) => sum + each, 0);
  totals.sort();
  const [low, high] = bounds(totals, level);
  return { ...result, total: { mean, low, high } };
}

interface World {
  readonly r: number;
  readonly alpha: number;
  readonly a: number;
  readonly b: number;
  readonly p: number;
  readonly q: number;
  readonly v: number;
}

function worldsOf(
  bgNbd: FittedBgNbd,
  gammaGamma: FittedGammaGamma,
  draws: number,
  seed: number,
): World[] {
  const random = new Random(seed, 0);
  const buying = parameterDraws(bgNbd.theta, bgNbd.factor, draws, random);
  const paying = parameterDraws(gammaGamma.theta, gammaGamma.factor, draws, random);
  return buying.map((theta, d) => {
    const [p, q, v] = paying[d]!.map(Math.exp) as unknown as [number, number, number];
    return { ...parametersOf(theta), p, q, v };
  });
}

interface Person {
  readonly x: number;
  readonly recency: number;
  readonly T: number;
  readonly value: number;
}

/** Nobody buys more often within the horizon: it ends what a heavy tail of rates would draw out. */
const PURCHASES_MAX = 10_000;

function simulate(
  world: World,
  { x, recency, T, value }: Person,
  horizon: number,
  discount: number,
  random: Random,
): { alive: number; purchases: number; worth: number } {
  const alive = aliveProbability(world, x, recency, T);
  const nothing = { alive, purchases: 0, worth: 0 };
  if (random.next() >= alive) return nothing;
  const rate = gammaDraw(world.r + x, random) / (world.alpha + T);
  let at = -Math.log(1 - random.next()) / rate;
  if (!(at <= horizon)) return nothing;
  const leaves = betaDraw(world.a, world.b + x, random);
  const known = x > 0 && value > 0 ? x : 0;
  const ownRate = gammaDraw(world.q + world.p * known, random) / (world.v + known * value);
  let purchases = 0;
  let worth = 0;
  while (at <= horizon && purchases < PURCHASES_MAX) {
    purchases++;
    worth += (gammaDraw(world.p, random) / ownRate) * (1 - discount) ** at;
    if (random.next() < leaves) break;
    at -= Math.log(1 - random.next()) / rate;
  }
  return { alive, purchases, worth };
}

/** Steps in which the horizon is discounted: within one of them, at its middle. */
const STEPS = 24;

function discountedPurchases(
  bgNbd: FittedBgNbd,
  X: Matrix,
  horizon: number,
  discount: number,
): Float64Array {
  const steps = discount > 0 ? STEPS : 1;
  const sum = new Float64Array(X.rows);
  let before = new Float64Array(X.rows);
  for (let s = 1; s <= steps; s++) {
    const until = bgNbd.expectedPurchases(X, (horizon * s) / steps);
    const factor = (1 - discount) ** ((horizon * (s - 0.5)) / steps);
    for (let i = 0; i < X.rows; i++) sum[i]! += (until[i]! - before[i]!) * factor;
    before = new Float64Array(until);
  }
  return sum;
}

function empty(mean: Float64Array): Expected {
  return { mean, low: new Float64Array(mean.length), high: new Float64Array(mean.length) };
}

function write({ low, high }: Expected, i: number, drawn: Float64Array, level: number): void {
  [low[i], high[i]] = bounds(drawn.slice().sort(), level);
}

function bounds(sorted: Float64Array, level: number): [number, number] {
  const at = (share: number) => sorted[Math.round(share * (sorted.length - 1))]!;
  return [at((1 - level) / 2), at((1 + level) / 2)];
}

/** Refuses models that were made from other columns than each other's. */
function checkPair(bgNbd: FittedBgNbd, gammaGamma: FittedGammaGamma): void {
  if (bgNbd.names.join() === gammaGamma.names.join()) return;
  throw invalid(
    `The models read different columns (${bgNbd.names.join(', ')} and ${gammaGamma.names.join(', ')}); expected both from one table of histories.`,
  );
}
