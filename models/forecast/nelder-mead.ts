export interface SimplexMinimum {
  readonly at: Float64Array;
  readonly value: number;
  readonly evaluations: number;
}

/**
 * The minimum of a function of few parameters without gradients (Nelder, Mead 1965). The first simplex is `start` and
 * one step along each axis. Stops when the simplex's values agree within `tolerance`, relative, or after `evaluations`.
 */
export function nelderMead(
  objective: (at: Float64Array) => number,
  start: ArrayLike<number>,
  steps: ArrayLike<number>,
  { evaluations = 400, tolerance = 1e-6 }: { evaluations?: number; tolerance?: number } = {},
): SimplexMinimum {
  const n = start.length;
  const points = Array.from({ length: n + 1 }, (_, i) => {
    const point = Float64Array.from(start);
    if (i > 0) point[i - 1]! += steps[i - 1]!;
    return point;
  });
  const values = Float64Array.from(points, (point) => finite(objective(point)));
  let used = n + 1;
  const centre = new Float64Array(n);
  let trial = new Float64Array(n);
  let other = new Float64Array(n);
  const along = (out: Float64Array, worst: Float64Array, factor: number): number => {
    for (let j = 0; j < n; j++) out[j] = centre[j]! + factor * (worst[j]! - centre[j]!);
    used++;
    return finite(objective(out));
  };
  while (used < evaluations) {
    const { best, worst, second } = ranks(values);
    const spread = values[worst]! - values[best]!;
    if (spread <= tolerance * (Math.abs(values[best]!) + tolerance)) break;
    centre.fill(0);
    for (let i = 0; i <= n; i++) {
      if (i !== worst) for (let j = 0; j < n; j++) centre[j]! += points[i]![j]! / n;
    }
    const replace = (value: number, point: Float64Array): Float64Array<ArrayBuffer> => {
      const old = points[worst]!;
      points[worst] = point as Float64Array<ArrayBuffer>;
      values[worst] = value;
      return old;
    };
    const reflected = along(trial, points[worst]!, -1);
    if (reflected < values[best]!) {
      const expanded = along(other, points[worst]!, -2);
      if (expanded < reflected) other = replace(expanded, other);
      else trial = replace(reflected, trial);
    } else if (reflected < values[second]!) {
      trial = replace(reflected, trial);
    } else {
      const inside = reflected >= values[worst]!;
      const contracted = along(other, points[worst]!, inside ? 0.5 : -0.5);
      if (contracted < Math.min(reflected, values[worst]!)) {
        other = replace(contracted, other);
      } else {
        for (let i = 0; i <= n; i++) {
          if (i === best) continue;
          const point = points[i]!;
          for (let j = 0; j < n; j++) point[j] = (point[j]! + points[best]![j]!) / 2;
          values[i] = finite(objective(point));
          used++;
        }
      }
    }
  }
  const { best } = ranks(values);
  return { at: points[best]!, value: values[best]!, evaluations: used };
}

/** An objective may refuse a place by NaN or infinity. */
function finite(value: number): number {
  return Number.isFinite(value) ? value : 1e300;
}

function ranks(values: Float64Array): { best: number; worst: number; second: number } {
  let best = 0;
  let worst = 0;
  for (let i = 1; i < values.length; i++) {
    if (values[i]! < values[best]!) best = i;
    if (values[i]! >= values[worst]!) worst = i;
  }
  let second = best;
  for (let i = 0; i < values.length; i++) {
    if (i !== worst && values[i]! > values[second]!) second = i;
  }
  return { best, worst, second };
}
