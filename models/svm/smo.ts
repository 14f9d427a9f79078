import type { FitContext } from '../estimator.ts';
import { throwIfAborted } from '../estimator.ts';
import type { KernelCache } from './kernel.ts';

export interface SmoOptions {
  /** Upper bound of each row's multiplier; 0 leaves a row out, and its margin is still told. */
  readonly bound: Float64Array;
  /** It stops where the optimality conditions are broken by at most this; 1e-3 is libsvm's. */
  readonly tolerance: number;
  readonly iterations: number;
}

export interface SmoResult {
  readonly alpha: Float64Array;
  /** Subtracted from Σ αᵢ yᵢ K(i, ·). */
  readonly rho: number;
  /** The margin of every row, those left out included. */
  readonly margins: Float64Array;
  readonly iterations: number;
  readonly converged: boolean;
}

/**
 * The dual of the soft-margin SVM, min ½ αᵀQα − Σα with 0 ≤ α ≤ C and yᵀα = 0, by sequential minimal optimisation:
 * two multipliers a step, the second chosen by second-order information (Fan, Chen, Lin 2005, "WSS 2"). `y` is ±1.
 */
export function smo(
  kernel: KernelCache,
  y: Float64Array,
  { bound, tolerance, iterations }: SmoOptions,
  ctx: FitContext,
): SmoResult {
  const n = y.length;
  const alpha = new Float64Array(n);
  // −y∇f, so that at the optimum every value that may rise is at most every value that may fall.
  const pull = y.slice();
  // Who may move against y (1), along y (2), or both (3); kept as α changes.
  const may = new Uint8Array(n);
  for (let i = 0; i < n; i++) may[i] = mayMove(y[i]!, alpha[i]!, bound[i]!);
  let done = 0;
  let converged = false;
  while (done < iterations) {
    if ((done & 255) === 0) throwIfAborted(ctx);
    const i = highest(pull, may);
    if (i < 0) break;
    const rowI = kernel.row(i);
    const j = partner(pull, may, rowI, pull[i]!, tolerance);
    if (j < 0) {
      converged = true;
      break;
    }
    const rowJ = kernel.row(j);
    done++;
    // Along the line that keeps yᵀα: αᵢ moves by yᵢ t, αⱼ by −yⱼ t.
    const curve = Math.max(2 - 2 * rowI[j]!, 1e-12);
    const most = (p: number, sign: number): number =>
      y[p]! * sign > 0 ? bound[p]! - alpha[p]! : alpha[p]!;
    const roomI = most(i, 1);
    const roomJ = most(j, -1);
    const t = Math.min((pull[i]! - pull[j]!) / curve, roomI, roomJ);
    alpha[i] = t === roomI ? (y[i]! > 0 ? bound[i]! : 0) : alpha[i]! + y[i]! * t;
    alpha[j] = t === roomJ ? (y[j]! > 0 ? 0 : bound[j]!) : alpha[j]! - y[j]! * t;
    may[i] = mayMove(y[i]!, alpha[i]!, bound[i]!);
    may[j] = mayMove(y[j]!, alpha[j]!, bound[j]!);
    for (let k = 0; k < n; k++) pull[k]! -= t * (rowI[k]! - rowJ[k]!);
  }
  const rho = -thresholdOf(pull, may);
  const margins = pull.map((value, k) => y[k]! - value - rho);
  return { alpha, rho, margins, iterations: done, converged };
}

const RISE = 1;
const FALL = 2;

/** RISE where yα may grow, FALL where it may shrink. */
function mayMove(y: number, alpha: number, bound: number): number {
  const grow = alpha < bound;
  const shrink = alpha > 0;
  return y > 0 ? (grow ? RISE : 0) | (shrink ? FALL : 0) : (shrink ? RISE : 0) | (grow ? FALL : 0);
}

function highest(pull: Float64Array, may: Uint8Array): number {
  let best = -Infinity;
  let at = -1;
  for (let k = 0; k < pull.length; k++) {
    if (pull[k]! > best && (may[k]! & RISE) !== 0) {
      best = pull[k]!;
      at = k;
    }
  }
  return at;
}

/** The one with which the step gains most; −1 where no pair breaks the conditions by more than the tolerance. */
function partner(
  pull: Float64Array,
  may: Uint8Array,
  rowI: Float32Array,
  top: number,
  tolerance: number,
): number {
  let gain = 0;
  let at = -1;
  let lowest = Infinity;
  for (let k = 0; k < pull.length; k++) {
    if ((may[k]! & FALL) === 0) continue;
    const value = pull[k]!;
    if (value < lowest) lowest = value;
    const gap = top - value;
    if (gap <= 0) continue;
    const found = (gap * gap) / Math.max(2 - 2 * rowI[k]!, 1e-12);
    if (found > gain) {
      gain = found;
      at = k;
    }
  }
  return top - lowest < tolerance ? -1 : at;
}

/** The mean pull of the free multipliers, else the middle of what the bound ones leave. */
function thresholdOf(pull: Float64Array, may: Uint8Array): number {
  let sum = 0;
  let free = 0;
  let low = -Infinity;
  let high = Infinity;
  for (let k = 0; k < pull.length; k++) {
    if (may[k] === (RISE | FALL)) {
      sum += pull[k]!;
      free++;
    } else if (may[k] === RISE) low = Math.max(low, pull[k]!);
    else if (may[k] === FALL) high = Math.min(high, pull[k]!);
  }
  if (free > 0) return sum / free;
  if (!Number.isFinite(low) || !Number.isFinite(high))
    return Number.isFinite(low) ? low : Number.isFinite(high) ? high : 0;
  return (low + high) / 2;
}
