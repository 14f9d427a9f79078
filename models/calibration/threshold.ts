import { checkParam } from '../check.ts';

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
