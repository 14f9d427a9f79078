/** Adam (Kingma, Ba 2015): a step by the mean of the gradients so far over the root of their mean square. */
export class Adam {
  readonly #rate: number;
  readonly #mean: Float64Array;
  readonly #square: Float64Array;
  /** β₁ᵗ and β₂ᵗ, since means that start at 0 are too small at first. */
  #beta1 = 1;
  #beta2 = 1;

  constructor(size: number, rate: number) {
    this.#rate = rate;
    this.#mean = new Float64Array(size);
    this.#square = new Float64Array(size);
  }

  /** Moves `theta` against `gradient · factor`, and empties the gradient for the next batch. */
  step(theta: Float64Array, gradient: Float64Array, factor: number): void {
    this.#beta1 *= 0.9;
    this.#beta2 *= 0.999;
    const root = Math.sqrt(1 - this.#beta2);
    const rate = (this.#rate * root) / (1 - this.#beta1);
    const small = 1e-8 * root;
    const [mean, square] = [this.#mean, this.#square];
    for (let k = 0; k < theta.length; k++) {
      const g = gradient[k]! * factor;
      gradient[k] = 0;
      const m = mean[k]! + 0.1 * (g - mean[k]!);
      const s = square[k]! + 0.001 * (g * g - square[k]!);
      mean[k] = m;
      square[k] = s;
      theta[k]! -= (rate * m) / (Math.sqrt(s) + small);
    }
  }
}
