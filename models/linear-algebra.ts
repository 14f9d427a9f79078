/** The little that the models need of dense linear algebra, on row-major arrays. */

/**
 * Solves A x = b for a symmetric positive definite A (n × n) by Cholesky; A and b are overwritten, b becomes x.
 * Returns false where A is not positive definite.
 */
export function solveSymmetric(A: Float64Array, b: Float64Array): boolean {
  const n = b.length;
  for (let j = 0; j < n; j++) {
    for (let i = j; i < n; i++) {
      let sum = A[i * n + j]!;
      for (let k = 0; k < j; k++) sum -= A[i * n + k]! * A[j * n + k]!;
      if (i > j) A[i * n + j] = sum / A[j * n + j]!;
      else if (sum > 0) A[j * n + j] = Math.sqrt(sum);
      else return false;
    }
  }
  for (let i = 0; i < n; i++) {
    for (let k = 0; k < i; k++) b[i]! -= A[i * n + k]! * b[k]!;
    b[i]! /= A[i * n + i]!;
  }
  for (let i = n - 1; i >= 0; i--) {
    for (let k = i + 1; k < n; k++) b[i]! -= A[k * n + i]! * b[k]!;
    b[i]! /= A[i * n + i]!;
  }
  return true;
}
