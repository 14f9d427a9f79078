import type { Backtest } from './automatic.ts';
import { invalid } from './series.ts';

/** Scores that a quantile is read from, at least, if there are so many: steps nearby lend theirs. */
const ENOUGH = 300;

/**
 * Intervals from errors that were really made (split conformal prediction; Vovk et al. 2005, Lei et al. 2018): signed
 * errors of rolling-origin trials in units of each series' own scale, step by step. They hold on average over the
 * series, whatever made the data, as far as the future resembles the trials.
 */
export class Conformal {
  /** Sorted signed scores of each step. */
  readonly scores: readonly Float64Array[];

  constructor(scores: readonly Float64Array[]) {
    this.scores = scores;
  }

  /** From trials of one series or of many; MODEL_INVALID where there are none. */
  static from(backtests: readonly Backtest[]): Conformal {
    const horizon = backtests.reduce((most, { actual }) => Math.max(most, actual.length), 0);
    if (horizon === 0) {
      throw invalid(
        'Intervals need at least one rolling-origin trial; give a longer history or a shorter horizon.',
      );
    }
    const raw = Array.from({ length: horizon }, (_, k) =>
      backtests
        .filter(({ actual }) => actual.length > k)
        .map(({ actual, forecast, scale }) => (actual[k]! - forecast[k]!) / scale),
    );
    return new Conformal(raw.map((_, k) => around(raw, k)));
  }

  /**
   * The quantile `p` at step `k` (from 0) of a series: rounded outwards, so that with n scores at least the share
   * promised is covered; with fewer than 1 / (1 − p) scores it is the farthest error seen.
   */
  quantile(p: number, k: number, forecast: number, scale: number): number {
    if (!(p > 0 && p < 1)) throw invalid(`A quantile is ${p}; expected between 0 and 1.`);
    const scores = this.scores[Math.min(k, this.scores.length - 1)]!;
    const rank = p * (scores.length + 1);
    const at = p < 0.5 ? Math.floor(rank) : Math.ceil(rank);
    return forecast + scale * scores[Math.min(Math.max(at, 1), scores.length) - 1]!;
  }

  /** The interval that holds `level` of the future at each step. */
  interval(
    level: number,
    forecast: Float64Array,
    scale: number,
  ): { low: Float64Array; high: Float64Array } {
    const tail = (1 - level) / 2;
    return {
      low: forecast.map((value, k) => this.quantile(tail, k, value, scale)),
      high: forecast.map((value, k) => this.quantile(1 - tail, k, value, scale)),
    };
  }

  toJSON(): { scores: number[][] } {
    return { scores: this.scores.map((scores) => [...scores]) };
  }

  static fromJSON(json: { scores: number[][] }): Conformal {
    return new Conformal(json.scores.map((scores) => Float64Array.from(scores)));
  }
}

/**
 * The coverage that the intervals reach on series they were not calibrated on: each half of the trials by those of the
 * other half. This is the figure to show beside a forecast.
 */
export function measuredCoverage(backtests: readonly Backtest[], level: number): number {
  const halves = [0, 1].map((odd) => backtests.filter((_, i) => i % 2 === odd));
  let [within, all] = [0, 0];
  halves.forEach((half, i) => {
    const conformal = Conformal.from(halves[1 - i]!);
    for (const { actual, forecast, scale } of half) {
      const { low, high } = conformal.interval(level, forecast, scale);
      actual.forEach((value, k) => {
        all++;
        if (value >= low[k]! && value <= high[k]!) within++;
      });
    }
  });
  return within / all;
}

function around(raw: readonly number[][], k: number): Float64Array {
  let taken = raw[k]!;
  for (let reach = 1; taken.length < ENOUGH && reach < raw.length; reach++) {
    taken = taken.concat(raw[k - reach] ?? [], raw[k + reach] ?? []);
  }
  return Float64Array.from(taken).sort();
}

/**
 * The trials as trials of the demand over the first `steps` steps together: intervals made of these are of sums, such
 * as the demand until a delivery, and know how errors go together from step to step. Trials that are shorter are left out.
 */
export function summed(backtests: readonly Backtest[], steps: number): Backtest[] {
  const sum = (values: Float64Array): Float64Array =>
    Float64Array.of(values.subarray(0, steps).reduce((total, value) => total + value, 0));
  return backtests
    .filter(({ actual }) => actual.length >= steps)
    .map((each) => ({ ...each, actual: sum(each.actual), forecast: sum(each.forecast) }));
}
