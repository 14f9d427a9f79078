import type { FittedForecaster, ForecastJson } from './series.ts';

/**
 * Several fitted methods as one: at each step the weighted median of their forecasts, which one method that went
 * astray cannot pull along.
 */
export class FittedCombination implements FittedForecaster {
  readonly kind = 'combination';
  readonly members: readonly FittedForecaster[];
  readonly weights: Float64Array;

  constructor(members: readonly FittedForecaster[], weights: ArrayLike<number>) {
    this.members = members;
    this.weights = Float64Array.from(weights);
  }

  predict(horizon: number): Float64Array {
    return pooled(
      this.members.map((member) => member.predict(horizon)),
      this.weights,
    );
  }

  toJSON(): ForecastJson {
    return {
      kind: 'combination',
      format: 1,
      weights: [...this.weights],
      members: this.members.map((member) => member.toJSON()),
    };
  }

  static fromJSON(
    json: ForecastJson,
    read: (json: ForecastJson) => FittedForecaster,
  ): FittedCombination {
    return new FittedCombination(
      (json['members'] as ForecastJson[]).map(read),
      json['weights'] as number[],
    );
  }
}

/** The weighted median of the forecasts at each step. */
export function pooled(
  forecasts: readonly Float64Array[],
  weights: ArrayLike<number>,
): Float64Array {
  const values = new Float64Array(forecasts.length);
  return forecasts[0]!.map((_, k) => {
    for (let i = 0; i < values.length; i++) values[i] = forecasts[i]![k]!;
    return weightedMedian(values, weights);
  });
}

/** Where half of the weight is below, between neighbours by line; with equal weights the usual median. */
export function weightedMedian(values: Float64Array, weights: ArrayLike<number>): number {
  const order = Array.from(values, (_, i) => i)
    .filter((i) => weights[i]! > 0)
    .toSorted((a, b) => values[a]! - values[b]!);
  let total = 0;
  for (const i of order) total += weights[i]!;
  // Each value sits in the middle of its weight.
  let before = 0;
  let [lastAt, last] = [Number.NaN, Number.NaN];
  for (const i of order) {
    const at = (before + weights[i]! / 2) / total;
    if (at >= 0.5) {
      if (Number.isNaN(lastAt)) return values[i]!;
      return last + ((0.5 - lastAt) / (at - lastAt)) * (values[i]! - last);
    }
    before += weights[i]!;
    [lastAt, last] = [at, values[i]!];
  }
  return last;
}
