import { solveSymmetric } from '../linear-algebra.ts';
import { invalid } from './series.ts';

/** Which products each total is of. The base forecasts are those of the totals first, then of the products. */
export interface Hierarchy {
  readonly products: number;
  /** For each total (a category, the shop) the products it sums, by number. */
  readonly totals: readonly (readonly number[])[];
}

export type Reconciliation = 'bottom-up' | 'variance' | 'mint';

/** More totals than this would need a matrix that takes minutes to factor. */
const MOST_TOTALS = 2000;
/** More series than this would need a covariance matrix of gigabytes; 'variance' has no such limit. */
const MOST_SERIES = 5000;

/**
 * Forecasts of products and totals that add up (Wickramasuriya, Athanasopoulos, Hyndman 2019): each is moved as little
 * as its errors' (co)variance says it deserves. 'bottom-up' keeps the products; 'variance' knows how much each series
 * errs; 'mint' also how they err together, the correlations shrunk (Schäfer, Strimmer 2005).
 * `base[i]` is the forecast of series i (totals first), `errors[i]` its past one-step errors, all of one length.
 */
export function reconcile(
  hierarchy: Hierarchy,
  base: readonly Float64Array[],
  method: Reconciliation,
  errors: readonly Float64Array[] = [],
): Float64Array[] {
  check(hierarchy, base, method, errors);
  const { totals } = hierarchy;
  const m = totals.length;
  const bottom = base.slice(m).map((forecast) => forecast.slice());
  if (method !== 'bottom-up' && m > 0) {
    const covariance = covarianceOf(errors, method);
    const middle = middleOf(hierarchy, covariance);
    for (let k = 0; k < base[0]!.length; k++) move(hierarchy, base, bottom, covariance, middle, k);
  }
  return [...totals.map((members) => sumOf(members, bottom)), ...bottom];
}

type Covariance = (i: number, j: number) => number;

/** Moves step k of the products by W Cᵀ (C W Cᵀ)⁻¹ times what the totals lack; C y = 0 where all adds up. */
function move(
  { totals }: Hierarchy,
  base: readonly Float64Array[],
  bottom: Float64Array[],
  covariance: Covariance,
  middle: Float64Array,
  k: number,
): void {
  const m = totals.length;
  const gaps = Float64Array.from(totals, (members, a) =>
    members.reduce((sum, product) => sum - base[m + product]![k]!, base[a]![k]!),
  );
  if (!solveSymmetric(middle.slice(), gaps)) throw degenerate();
  for (let product = 0; product < bottom.length; product++) {
    let shift = 0;
    for (let a = 0; a < m; a++) {
      if (gaps[a] === 0) continue;
      shift += gaps[a]! * withTotal(covariance, totals[a]!, a, m, m + product);
    }
    bottom[product]![k]! -= shift;
  }
}

/** The covariance of series i with the gap of total a: cov(i, total) − Σ cov(i, its products). */
function withTotal(
  covariance: Covariance,
  members: readonly number[],
  a: number,
  m: number,
  i: number,
): number {
  return members.reduce((sum, product) => sum - covariance(i, m + product), covariance(i, a));
}

function middleOf({ totals }: Hierarchy, covariance: Covariance): Float64Array {
  const m = totals.length;
  const middle = new Float64Array(m * m);
  for (let a = 0; a < m; a++) {
    for (let b = 0; b <= a; b++) {
      const value = totals[b]!.reduce(
        (sum, product) => sum - withTotal(covariance, totals[a]!, a, m, m + product),
        withTotal(covariance, totals[a]!, a, m, b),
      );
      middle[a * m + b] = value;
      middle[b * m + a] = value;
    }
    middle[a * m + a]! *= 1 + 1e-10;
  }
  return middle;
}

function covarianceOf(errors: readonly Float64Array[], method: Reconciliation): Covariance {
  const n = errors.length;
  const steps = errors[0]!.length;
  const deviations = errors.map((each) =>
    Math.sqrt(each.reduce((sum, error) => sum + error * error, 0) / steps),
  );
  const largest = Math.max(...deviations) || 1;
  // A series that never erred would be nailed to its base forecast.
  const sizes = deviations.map((deviation) => Math.max(deviation, 1e-6 * largest));
  if (method === 'variance') return (i, j) => (i === j ? sizes[i]! ** 2 : 0);
  const unit = errors.map((each, i) => each.map((error) => error / sizes[i]!));
  const matrix = new Float64Array(n * n);
  let [above, below] = [0, 0];
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < i; j++) {
      let [sum, squares] = [0, 0];
      for (let t = 0; t < steps; t++) {
        const product = unit[i]![t]! * unit[j]![t]!;
        sum += product;
        squares += product * product;
      }
      const correlation = sum / steps;
      matrix[i * n + j] = correlation;
      above += (squares - steps * correlation ** 2) / (steps * Math.max(steps - 1, 1));
      below += correlation ** 2;
    }
  }
  const shrunk = below > 0 ? Math.min(1, Math.max(0.01, above / below)) : 1;
  return (i, j) =>
    i === j
      ? sizes[i]! ** 2
      : (1 - shrunk) * matrix[Math.max(i, j) * n + Math.min(i, j)]! * sizes[i]! * sizes[j]!;
}

function sumOf(members: readonly number[], bottom: readonly Float64Array[]): Float64Array {
  return bottom[0]!.map((_, k) => members.reduce((sum, product) => sum + bottom[product]![k]!, 0));
}

function check(
  { products, totals }: Hierarchy,
  base: readonly Float64Array[],
  method: Reconciliation,
  errors: readonly Float64Array[],
): void {
  const all = totals.length + products;
  if (products < 1 || base.length !== all) {
    throw invalid(
      `There are ${base.length} base forecasts; expected ${all}: one for each of ${totals.length} totals, then of ${products} products.`,
    );
  }
  const wrong = totals.findIndex(
    (members) =>
      members.length === 0 ||
      new Set(members).size !== members.length ||
      members.some((member) => !Number.isInteger(member) || member < 0 || member >= products),
  );
  if (wrong >= 0) {
    throw invalid(
      `Total ${wrong} names no products, one twice, or one that there is not; expected numbers from 0 to ${products - 1}.`,
      { total: wrong },
    );
  }
  if (base.some((forecast) => forecast.length !== base[0]!.length)) {
    throw invalid('The base forecasts differ in length; expected one horizon for all.');
  }
  if (method === 'bottom-up') return;
  const steps = errors[0]?.length ?? 0;
  if (errors.length !== all || steps === 0 || errors.some((each) => each.length !== steps)) {
    throw invalid(
      `Reconciliation by ${method} needs past errors of all ${all} series over the same steps; got ${errors.length} of them.`,
    );
  }
  if (totals.length > MOST_TOTALS || (method === 'mint' && all > MOST_SERIES)) {
    throw invalid(
      `There are ${totals.length} totals and ${all} series; ${method} takes up to ${MOST_TOTALS} totals${method === 'mint' ? ` and ${MOST_SERIES} series` : ''}; use bottom-up.`,
    );
  }
}

function degenerate(): Error {
  return invalid(
    'The totals cannot be told apart: two sum the same products with the same errors; give each sum once.',
  );
}
