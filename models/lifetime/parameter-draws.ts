import type { Random } from '../random.ts';

/**
 * A triangular factor F (row-major, F Fᵀ = covariance), from the Hessian of the negative log-likelihood. Directions
 * in which the likelihood is flat get a wide but finite spread, so that intervals grow instead of failing.
 */
export function factorOf(hessian: Float64Array, n: number): Float64Array {
  let ridge = 0;
  for (let attempt = 0; attempt < 40; attempt++) {
    const lower = cholesky(hessian, n, ridge);
    if (lower) return inverseTransposed(lower, n);
    ridge = ridge === 0 ? 1e-6 : ridge * 3;
  }
  return new Float64Array(n * n);
}

/** `count` parameter vectors (rows) around `theta`: the first is `theta` itself. */
export function parameterDraws(
  theta: Float64Array,
  factor: Float64Array,
  count: number,
  random: Random,
): Float64Array[] {
  const n = theta.length;
  return Array.from({ length: count }, (_, d) => {
    if (d === 0) return theta.slice();
    const noise = Float64Array.from({ length: n }, () => random.normal());
    return theta.map((value, i) => {
      let moved = value;
      for (let j = 0; j < n; j++) moved += factor[i * n + j]! * noise[j]!;
      return moved;
    });
  });
}

function cholesky(A: Float64Array, n: number, ridge: number): Float64Array | null {
  const L = new Float64Array(n * n);
  for (let j = 0; j < n; j++) {
    for (let i = j; i < n; i++) {
      let sum = A[i * n + j]! + (i === j ? ridge : 0);
      for (let k = 0; k < j; k++) sum -= L[i * n + k]! * L[j * n + k]!;
      if (i > j) L[i * n + j] = sum / L[j * n + j]!;
      else if (sum > 0) L[j * n + j] = Math.sqrt(sum);
      else return null;
    }
  }
  return L;
}

/** (L⁻¹)ᵀ: with H = L Lᵀ it holds that H⁻¹ = (L⁻¹)ᵀ L⁻¹, so this times noise has the covariance H⁻¹. */
function inverseTransposed(L: Float64Array, n: number): Float64Array {
  const inverse = new Float64Array(n * n);
  for (let j = 0; j < n; j++) {
    inverse[j * n + j] = 1 / L[j * n + j]!;
    for (let i = j + 1; i < n; i++) {
      let sum = 0;
      for (let k = j; k < i; k++) sum -= L[i * n + k]! * inverse[k * n + j]!;
      inverse[i * n + j] = sum / L[i * n + i]!;
    }
  }
  const transposed = new Float64Array(n * n);
  for (let i = 0; i < n; i++)
    for (let j = 0; j < n; j++) transposed[j * n + i] = inverse[i * n + j]!;
  return transposed;
}
