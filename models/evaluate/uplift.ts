import { invalid } from '../check.ts';
import { Random } from '../random.ts';
import { descending } from './ranking.ts';

/** Outcomes (0 or 1) of a trial: who was treated (1), and the uplift that a model predicts for each. */
export interface UpliftRows {
  readonly y: ArrayLike<number>;
  readonly treated: ArrayLike<number>;
  readonly uplift: Float64Array;
}

export interface UpliftMetrics {
  /** Area between the curve and random order, over that of the perfect order (Radcliffe 2007; as scikit-uplift). */
  readonly qini: number;
  readonly auuc: number;
  /** Difference of the outcome rates among the 30 % with the highest predictions. */
  readonly at30: number;
}

export function upliftMetrics(rows: UpliftRows): UpliftMetrics {
  const { y, treated, uplift } = rows;
  if (y.length !== treated.length || y.length !== uplift.length) {
    throw invalid(
      `There are ${y.length} outcomes, ${treated.length} treatments and ${uplift.length} predictions; expected as many.`,
    );
  }
  const ideal = perfect(rows);
  return {
    qini: normalised(curve(rows, 'qini'), curve({ ...rows, uplift: ideal.qini }, 'qini')),
    auuc: normalised(curve(rows, 'uplift'), curve({ ...rows, uplift: ideal.uplift }, 'uplift')),
    at30: rateDifference(rows, Math.trunc(0.3 * y.length)),
  };
}

export interface Interval {
  readonly low: number;
  readonly high: number;
}

/** 95 % intervals by the bootstrap: people drawn again with replacement, treated and not treated apart. */
export function upliftIntervals(
  rows: UpliftRows,
  { rounds = 200, seed = 1 }: { rounds?: number; seed?: number } = {},
): { readonly [K in keyof UpliftMetrics]: Interval } {
  const random = new Random(seed);
  const arms = [0, 1].map((arm) =>
    Int32Array.from({ length: rows.y.length }, (_, i) => i).filter((i) => rows.treated[i] === arm),
  );
  const found: UpliftMetrics[] = [];
  for (let r = 0; r < rounds; r++) {
    const drawn = arms.flatMap((arm) => Array.from(arm, () => arm[random.int(arm.length)]!));
    found.push(
      upliftMetrics({
        y: drawn.map((i) => rows.y[i]!),
        treated: drawn.map((i) => rows.treated[i]!),
        uplift: Float64Array.from(drawn, (i) => rows.uplift[i]!),
      }),
    );
  }
  const interval = (key: keyof UpliftMetrics): Interval => {
    const values = Float64Array.from(found, (metrics) => metrics[key])
      .filter((value) => !Number.isNaN(value))
      .sort();
    const at = (share: number): number => values[Math.round(share * (values.length - 1))]!;
    return { low: at(0.025), high: at(0.975) };
  };
  return { qini: interval('qini'), auuc: interval('auuc'), at30: interval('at30') };
}

interface Curve {
  readonly x: readonly number[];
  readonly y: readonly number[];
}

/** Gained outcomes against how many were treated, the highest predictions first; ties are one step. */
export function curve({ y, treated, uplift }: UpliftRows, kind: 'qini' | 'uplift'): Curve {
  const order = descending(uplift);
  const xs = [0];
  const ys = [0];
  let [nT, nC, yT, yC] = [0, 0, 0, 0];
  for (let place = 0; place < order.length;) {
    const at = uplift[order[place]!];
    while (place < order.length && uplift[order[place]!] === at) {
      const row = order[place++]!;
      if (treated[row] === 1) {
        nT++;
        yT += y[row]!;
      } else {
        nC++;
        yC += y[row]!;
      }
    }
    xs.push(place);
    ys.push(
      kind === 'qini'
        ? yT - (nC === 0 ? 0 : (yC * nT) / nC)
        : ((nT === 0 ? 0 : yT / nT) - (nC === 0 ? 0 : yC / nC)) * (nT + nC),
    );
  }
  return { x: xs, y: ys };
}

/** Scores by which nobody is treated in vain. */
function perfect({ y, treated }: UpliftRows): Record<'qini' | 'uplift', Float64Array> {
  let [controlYes, treatedNo] = [0, 0];
  for (let i = 0; i < y.length; i++) {
    if (y[i] === 1 && treated[i] === 0) controlYes++;
    if (y[i] === 0 && treated[i] === 1) treatedNo++;
  }
  const rows = Array.from({ length: y.length }, (_, i) => i);
  return {
    qini: Float64Array.from(rows, (i) => y[i]! * (treated[i] === 1 ? 1 : -1)),
    uplift: Float64Array.from(
      rows,
      (i) => 2 * (y[i] === treated[i] ? 1 : 0) + (controlYes > treatedNo ? y[i]! : treated[i]!),
    ),
  };
}

function normalised(actual: Curve, ideal: Curve): number {
  const random = (ideal.x.at(-1)! * ideal.y.at(-1)!) / 2;
  return (area(actual) - random) / (area(ideal) - random);
}

function area({ x, y }: Curve): number {
  let sum = 0;
  for (let k = 1; k < x.length; k++) sum += ((x[k]! - x[k - 1]!) * (y[k]! + y[k - 1]!)) / 2;
  return sum;
}

function rateDifference({ y, treated, uplift }: UpliftRows, count: number): number {
  const order = descending(uplift).subarray(0, count);
  const sums = [0, 0];
  const counts = [0, 0];
  for (const row of order) {
    sums[treated[row]!]! += y[row]!;
    counts[treated[row]!]! += 1;
  }
  return sums[1]! / counts[1]! - sums[0]! / counts[0]!;
}
