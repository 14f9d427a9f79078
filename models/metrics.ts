import type { Target } from './matrix.ts';
import { invalid } from './check.ts';

/**
 * How good predictions are. `y` is 0 or 1, `p` is P(y = 1). Where a figure is not defined (an AUC with one class
 * only) it is NaN; where a share has nothing to count (precision without a positive prediction) it is 0, as is usual.
 */
export interface Confusion {
  readonly truePositive: number;
  readonly falsePositive: number;
  readonly trueNegative: number;
  readonly falseNegative: number;
}

/** Probabilities of 0 and 1 are moved in by this much, so that one sure mistake costs 36 and not infinity. */
const EPSILON = 2.220446049250313e-16;

export function confusionMatrix(y: Target, p: Float64Array, threshold = 0.5): Confusion {
  sameLength(y, p);
  let truePositive = 0;
  let falsePositive = 0;
  let trueNegative = 0;
  let falseNegative = 0;
  for (let i = 0; i < y.length; i++) {
    if (p[i]! >= threshold) {
      if (y[i] === 1) truePositive++;
      else falsePositive++;
    } else if (y[i] === 1) falseNegative++;
    else trueNegative++;
  }
  return { truePositive, falsePositive, trueNegative, falseNegative };
}

export function accuracy(c: Confusion): number {
  const all = c.truePositive + c.falsePositive + c.trueNegative + c.falseNegative;
  return share(c.truePositive + c.trueNegative, all);
}

/** Of those predicted, how many were right. */
export function precision(c: Confusion): number {
  return share(c.truePositive, c.truePositive + c.falsePositive);
}

/** Of those there were, how many were found. */
export function recall(c: Confusion): number {
  return share(c.truePositive, c.truePositive + c.falseNegative);
}

/** The harmonic mean of precision and recall. */
export function f1(c: Confusion): number {
  return share(2 * c.truePositive, 2 * c.truePositive + c.falsePositive + c.falseNegative);
}

/**
 * The chance that a random positive has a higher score than a random negative, ties counting half
 * (Mann–Whitney by mean ranks). NaN where one class is absent.
 */
export function rocAuc(y: Target, score: Float64Array): number {
  sameLength(y, score);
  const order = Float64Array.from(score).sort();
  let positives = 0;
  let rankSum = 0;
  for (let i = 0; i < y.length; i++) {
    if (y[i] !== 1) continue;
    positives++;
    // The mean rank of all rows with this score, from 1.
    rankSum += (lowerBound(order, score[i]!) + upperBound(order, score[i]!) + 1) / 2;
  }
  const negatives = y.length - positives;
  return (rankSum - (positives * (positives + 1)) / 2) / (positives * negatives);
}

/** How many sorted values are below `value`. */
function lowerBound(sorted: Float64Array, value: number): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (sorted[middle]! < value) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** How many sorted values are at or below `value`. */
function upperBound(sorted: Float64Array, value: number): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (sorted[middle]! <= value) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Mean surprise in nats; lower is better. */
export function logLoss(y: Target, p: Float64Array): number {
  sameLength(y, p);
  let sum = 0;
  for (let i = 0; i < y.length; i++) {
    const clipped = Math.min(1 - EPSILON, Math.max(EPSILON, p[i]!));
    sum -= Math.log(y[i] === 1 ? clipped : 1 - clipped);
  }
  return sum / y.length;
}

/** Mean squared error of the probabilities; lower is better. */
export function brier(y: Target, p: Float64Array): number {
  return rmse(y, p) ** 2;
}

export function rmse(y: Target, predicted: Float64Array): number {
  sameLength(y, predicted);
  let sum = 0;
  for (let i = 0; i < y.length; i++) sum += (y[i]! - predicted[i]!) ** 2;
  return Math.sqrt(sum / y.length);
}

export function mae(y: Target, predicted: Float64Array): number {
  sameLength(y, predicted);
  let sum = 0;
  for (let i = 0; i < y.length; i++) sum += Math.abs(y[i]! - predicted[i]!);
  return sum / y.length;
}

export interface CalibrationBin {
  /** Bounds of the predictions in it; the last bin holds 1 too. */
  readonly from: number;
  readonly to: number;
  readonly count: number;
  /** Mean prediction, and the share that came true. Equal ones are calibrated. */
  readonly predicted: number;
  readonly observed: number;
}

/** Predictions in `bins` equal steps of probability beside what came true; empty bins are left out. */
export function calibrationTable(y: Target, p: Float64Array, bins = 10): CalibrationBin[] {
  sameLength(y, p);
  const count = new Float64Array(bins);
  const predicted = new Float64Array(bins);
  const observed = new Float64Array(bins);
  for (let i = 0; i < y.length; i++) {
    const bin = Math.min(bins - 1, Math.floor(p[i]! * bins));
    count[bin]! += 1;
    predicted[bin]! += p[i]!;
    observed[bin]! += y[i]!;
  }
  const table: CalibrationBin[] = [];
  for (let b = 0; b < bins; b++) {
    const n = count[b]!;
    if (n === 0) continue;
    const bounds = { from: b / bins, to: (b + 1) / bins };
    table.push({ ...bounds, count: n, predicted: predicted[b]! / n, observed: observed[b]! / n });
  }
  return table;
}

/** Mean distance between predicted and observed over the bins, weighted by their counts. */
export function expectedCalibrationError(table: readonly CalibrationBin[]): number {
  let sum = 0;
  let count = 0;
  for (const bin of table) {
    sum += bin.count * Math.abs(bin.predicted - bin.observed);
    count += bin.count;
  }
  return share(sum, count);
}

/** All figures of a binary model on one slice. */
export interface BinaryMetrics {
  readonly rows: number;
  /** Share of ones. */
  readonly rate: number;
  readonly accuracy: number;
  readonly precision: number;
  readonly recall: number;
  readonly f1: number;
  readonly rocAuc: number;
  readonly logLoss: number;
  readonly brier: number;
  readonly ece: number;
}

export function binaryMetrics(y: Target, p: Float64Array, threshold = 0.5): BinaryMetrics {
  const c = confusionMatrix(y, p, threshold);
  return {
    rows: y.length,
    rate: share(c.truePositive + c.falseNegative, y.length),
    accuracy: accuracy(c),
    precision: precision(c),
    recall: recall(c),
    f1: f1(c),
    rocAuc: rocAuc(y, p),
    logLoss: logLoss(y, p),
    brier: brier(y, p),
    ece: expectedCalibrationError(calibrationTable(y, p)),
  };
}

function share(part: number, whole: number): number {
  return whole === 0 ? 0 : part / whole;
}

function sameLength(y: ArrayLike<number>, p: ArrayLike<number>): void {
  if (y.length === p.length) return;
  throw invalid(`There are ${y.length} targets and ${p.length} predictions; expected as many.`);
}
