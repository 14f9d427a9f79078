import { checkParam } from '../check.ts';
import type { Target } from '../matrix.ts';

export interface Costs {
  /** What it costs to act on one who would not have (a voucher given away). */
  readonly falsePositive: number;
  /** What it costs to leave out one who would have. */
  readonly falseNegative: number;
}

/**
 * The threshold from which acting costs less than not acting: cost of a false positive over the sum of both (Elkan
 * 2001). Right for calibrated probabilities, whatever the data.
 */
export function thresholdFromCosts({ falsePositive, falseNegative }: Costs): number {
  checkParam('falsePositive', falsePositive, Number.MIN_VALUE, Number.MAX_VALUE);
  checkParam('falseNegative', falseNegative, Number.MIN_VALUE, Number.MAX_VALUE);
  return falsePositive / (falsePositive + falseNegative);
}

export interface ChosenThreshold {
  readonly threshold: number;
  /** Of all rows together at that threshold, in the unit of the costs. */
  readonly cost: number;
}

/** The threshold with the least cost on these rows, for probabilities that one does not trust. */
export function cheapestThreshold(y: Target, p: Float64Array, costs: Costs): ChosenThreshold {
  const order = Int32Array.from(p.keys()).sort((a, b) => p[b]! - p[a]!);
  let cost = 0;
  for (const value of y) cost += value === 1 ? costs.falseNegative : 0;
  // Above every prediction: nobody is acted on.
  let best: ChosenThreshold = { threshold: 1 + Number.EPSILON, cost };
  for (let place = 0; place < order.length;) {
    const at = p[order[place]!]!;
    while (place < order.length && p[order[place]!] === at) {
      cost += y[order[place++]!] === 1 ? -costs.falseNegative : costs.falsePositive;
    }
    if (cost < best.cost) best = { threshold: at, cost };
  }
  return best;
}
