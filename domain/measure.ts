/** Sums of one arm of an experiment, over persons: enough for means, variances and intervals. */
export interface ArmSums {
  readonly persons: number;
  /** Persons with at least one goal event. */
  readonly converted: number;
  readonly value: number;
  /** Sum over persons of the square of each person's value. */
  readonly valueSquared: number;
}

export interface Interval {
  readonly estimate: number;
  readonly low: number;
  readonly high: number;
}

export interface Effect {
  /** Value that the campaign caused over all treated persons. */
  readonly incrementalValue: Interval | null;
  /** Conversions that it caused. */
  readonly incrementalConversions: Interval | null;
  /** `true` only where the interval of the value lies wholly above 0. */
  readonly isPositive: boolean;
  /** What a reader must know, such as too few persons; empty where nothing stands against it. */
  readonly caveats: readonly string[];
}

/** 97.5 % quantile of the standard normal distribution. */
const Z = 1.959963984540054;
/** Below this many persons or conversions in an arm the normal approximation of a mean is not to be trusted. */
const PERSONS_MIN = 30;
const CONVERTED_MIN = 5;

function varianceOfMean(sum: number, sumSquared: number, n: number): number {
  const mean = sum / n;
  return Math.max(0, sumSquared - n * mean * mean) / (n - 1) / n;
}

function scaledDifference(
  treated: { sum: number; squared: number; n: number },
  control: { sum: number; squared: number; n: number },
): Interval {
  const difference = treated.sum / treated.n - control.sum / control.n;
  const half =
    Z *
    Math.sqrt(
      varianceOfMean(treated.sum, treated.squared, treated.n) +
        varianceOfMean(control.sum, control.squared, control.n),
    );
  return {
    estimate: difference * treated.n,
    low: (difference - half) * treated.n,
    high: (difference + half) * treated.n,
  };
}

/**
 * What the treatment caused: the difference of the arms' means, times the treated persons, with its 95 % interval by
 * Welch's standard error. By intention to treat: everyone of an arm counts, mailed or not, so the comparison stays fair.
 */
export function effectOf(treated: ArmSums, control: ArmSums): Effect {
  const caveats: string[] = [];
  if (control.persons < 2 || treated.persons < 2) {
    const missing = control.persons < 2 ? 'There is no holdout' : 'Nobody was treated';
    return {
      incrementalValue: null,
      incrementalConversions: null,
      isPositive: false,
      caveats: [`${missing}, so nothing can be said of what the campaign caused.`],
    };
  }
  if (control.persons < PERSONS_MIN) {
    caveats.push(
      `The holdout has ${control.persons} people; below ${PERSONS_MIN} the interval is too optimistic.`,
    );
  }
  if (Math.min(control.converted, treated.converted) < CONVERTED_MIN) {
    caveats.push(
      `Fewer than ${CONVERTED_MIN} people of an arm reached the goal: not enough data yet.`,
    );
  }
  const value = scaledDifference(
    { sum: treated.value, squared: treated.valueSquared, n: treated.persons },
    { sum: control.value, squared: control.valueSquared, n: control.persons },
  );
  const conversions = scaledDifference(
    { sum: treated.converted, squared: treated.converted, n: treated.persons },
    { sum: control.converted, squared: control.converted, n: control.persons },
  );
  return {
    incrementalValue: value,
    incrementalConversions: conversions,
    isPositive: value.low > 0 && caveats.length === 0,
    caveats,
  };
}
