import { FittedRepeat } from './naive.ts';
import type { Forecaster, Series } from './series.ts';
import { checkSeries, invalid } from './series.ts';

/** Smoothing factors that are tried; the one with the smallest squared error within the history is taken. */
const GRID = [0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4];

/** How often the series is zero, 0 to 1: from about 0.3 on demand is intermittent. */
export function shareOfZeros(values: Float64Array): number {
  let zeros = 0;
  for (const value of values) if (value === 0) zeros++;
  return zeros / values.length;
}

/**
 * Demand that is often zero, as size of a demand over time between demands (Croston 1972); `sba` takes away the bias
 * of that quotient (Syntetos, Boylan 2005). A flat forecast: the mean demand of a step.
 */
export class Croston implements Forecaster {
  readonly kind: 'croston' | 'sba';

  constructor(kind: 'croston' | 'sba' = 'sba') {
    this.kind = kind;
  }

  fit(series: Series): FittedRepeat {
    checkDemand(series);
    const unbiased = this.kind === 'sba';
    const runs = GRID.map((alpha) => croston(series.values, alpha, unbiased));
    return new FittedRepeat(this.kind, Float64Array.of(bestOf(runs)));
  }
}

/**
 * Probability of a demand times its size, the probability updated at every step (Teunter, Syntetos, Babai 2011): unlike
 * Croston's it falls while nothing sells, so that an obsolete product fades.
 */
export class Tsb implements Forecaster {
  readonly kind = 'tsb';

  fit(series: Series): FittedRepeat {
    checkDemand(series);
    const runs = GRID.flatMap((size) =>
      GRID.map((probability) => tsb(series.values, size, probability)),
    );
    return new FittedRepeat('tsb', Float64Array.of(bestOf(runs)));
  }
}

interface Run {
  readonly forecast: number;
  readonly squares: number;
}

function bestOf(runs: readonly Run[]): number {
  return runs.reduce((a, b) => (b.squares < a.squares ? b : a)).forecast;
}

function checkDemand(series: Series): void {
  checkSeries(series);
  const step = series.values.findIndex((value) => value < 0);
  if (step < 0) return;
  throw invalid(
    `Step ${step} of the series is ${series.values[step]}; intermittent demand is expected to be 0 or more.`,
    { step },
  );
}

function croston(y: Float64Array, alpha: number, unbiased: boolean): Run {
  const first = y.findIndex((value) => value > 0);
  if (first < 0) return { forecast: 0, squares: 0 };
  const factor = unbiased ? 1 - alpha / 2 : 1;
  let size = y[first]!;
  let gap = Math.max(
    1,
    y.length /
      Math.max(
        1,
        y.reduce((n, value) => n + (value > 0 ? 1 : 0), 0),
      ),
  );
  let since = 1;
  let squares = 0;
  for (let t = first + 1; t < y.length; t++) {
    squares += (y[t]! - (factor * size) / gap) ** 2;
    if (y[t]! > 0) {
      size += alpha * (y[t]! - size);
      gap += alpha * (since - gap);
      since = 1;
    } else {
      since++;
    }
  }
  return { forecast: (factor * size) / gap, squares };
}

function tsb(y: Float64Array, sizeFactor: number, probabilityFactor: number): Run {
  let demands = 0;
  let sum = 0;
  for (const value of y) {
    if (value > 0) demands++;
    sum += value;
  }
  if (demands === 0) return { forecast: 0, squares: 0 };
  let probability = demands / y.length;
  let size = sum / demands;
  let squares = 0;
  for (let t = 0; t < y.length; t++) {
    squares += (y[t]! - probability * size) ** 2;
    if (y[t]! > 0) {
      size += sizeFactor * (y[t]! - size);
      probability += probabilityFactor * (1 - probability);
    } else {
      probability -= probabilityFactor * probability;
    }
  }
  return { forecast: probability * size, squares };
}
