/**
 * The inner loops of a dense layer on row-major Float64Array, for one row at a time: four inputs are taken together, so
 * that an output is loaded and stored once for four products. Nothing here allocates.
 */

/** out[u] += Σ value[e] · W[column[e]][u] over the entries of a sparse row. */
export function addSparseRow(
  out: Float64Array,
  outAt: number,
  units: number,
  W: Float64Array,
  wAt: number,
  column: Int32Array,
  value: Float64Array,
  from: number,
  to: number,
): void {
  let e = from;
  for (; e + 3 < to; e += 4) {
    const v0 = value[e]!;
    const v1 = value[e + 1]!;
    const v2 = value[e + 2]!;
    const v3 = value[e + 3]!;
    const w0 = wAt + column[e]! * units;
    const w1 = wAt + column[e + 1]! * units;
    const w2 = wAt + column[e + 2]! * units;
    const w3 = wAt + column[e + 3]! * units;
    for (let u = 0; u < units; u++) {
      out[outAt + u]! += v0 * W[w0 + u]! + v1 * W[w1 + u]! + v2 * W[w2 + u]! + v3 * W[w3 + u]!;
    }
  }
  for (; e < to; e++) {
    const v = value[e]!;
    const w = wAt + column[e]! * units;
    for (let u = 0; u < units; u++) out[outAt + u]! += v * W[w + u]!;
  }
}

/** G[column[e]][u] += value[e] · delta[u]: the gradient of `addSparseRow` in W. */
export function addSparseOuter(
  G: Float64Array,
  gAt: number,
  units: number,
  column: Int32Array,
  value: Float64Array,
  from: number,
  to: number,
  delta: Float64Array,
  deltaAt: number,
): void {
  let e = from;
  for (; e + 3 < to; e += 4) {
    const v0 = value[e]!;
    const v1 = value[e + 1]!;
    const v2 = value[e + 2]!;
    const v3 = value[e + 3]!;
    const g0 = gAt + column[e]! * units;
    const g1 = gAt + column[e + 1]! * units;
    const g2 = gAt + column[e + 2]! * units;
    const g3 = gAt + column[e + 3]! * units;
    for (let u = 0; u < units; u++) {
      const d = delta[deltaAt + u]!;
      G[g0 + u]! += v0 * d;
      G[g1 + u]! += v1 * d;
      G[g2 + u]! += v2 * d;
      G[g3 + u]! += v3 * d;
    }
  }
  for (; e < to; e++) {
    const v = value[e]!;
    const g = gAt + column[e]! * units;
    for (let u = 0; u < units; u++) G[g + u]! += v * delta[deltaAt + u]!;
  }
}

/** out[u] += Σ input[k] · W[k][u]; inputs of 0, which relu and dropout make, are passed over. */
export function addDenseRow(
  out: Float64Array,
  outAt: number,
  units: number,
  W: Float64Array,
  wAt: number,
  input: Float64Array,
  inputAt: number,
  inputs: number,
): void {
  for (let k = 0; k < inputs; k++) {
    const v = input[inputAt + k]!;
    if (v === 0) continue;
    const w = wAt + k * units;
    for (let u = 0; u < units; u++) out[outAt + u]! += v * W[w + u]!;
  }
}

/** G[k][u] += input[k] · delta[u]: the gradient of `addDenseRow` in W. */
export function addDenseOuter(
  G: Float64Array,
  gAt: number,
  units: number,
  input: Float64Array,
  inputAt: number,
  inputs: number,
  delta: Float64Array,
  deltaAt: number,
): void {
  for (let k = 0; k < inputs; k++) {
    const v = input[inputAt + k]!;
    if (v === 0) continue;
    const g = gAt + k * units;
    for (let u = 0; u < units; u++) G[g + u]! += v * delta[deltaAt + u]!;
  }
}

/** out[k] = Σ W[k][u] · delta[u]: what the layer before is told. */
export function backRow(
  out: Float64Array,
  outAt: number,
  inputs: number,
  W: Float64Array,
  wAt: number,
  delta: Float64Array,
  deltaAt: number,
  units: number,
): void {
  for (let k = 0; k < inputs; k++) {
    const w = wAt + k * units;
    let sum = 0;
    for (let u = 0; u < units; u++) sum += W[w + u]! * delta[deltaAt + u]!;
    out[outAt + k] = sum;
  }
}
