/**
 * Chance with a seed. Every decision of the sample shop has a stream of its own, named by numbers (seed, purpose,
 * person, …), so that what one person does never depends on how many draws another one took.
 */
export class Random {
  #a: number;
  #b: number;
  #c: number;
  #counter = 1;

  constructor(...key: readonly number[]) {
    let hash = 0x9e3779b9;
    for (const part of key) {
      // Both halves: seeds may be larger than 32 bits.
      hash = mix(hash ^ mix((part >>> 0) + 0x85ebca6b));
      const high = Math.floor(part / 0x1_0000_0000) >>> 0;
      if (high !== 0) hash = mix(hash ^ high);
    }
    this.#a = hash;
    this.#b = mix(hash + 0x6d2b79f5);
    this.#c = mix(hash ^ 0xc2b2ae35);
    for (let round = 0; round < 8; round += 1) this.uniform();
  }

  /** Uniform on [0, 1), 32 bits (the generator is Chris Doty-Humphrey's sfc32). */
  uniform(): number {
    const sum = (this.#a + this.#b + this.#counter) | 0;
    this.#counter = (this.#counter + 1) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = (((this.#c << 21) | (this.#c >>> 11)) + sum) | 0;
    return (sum >>> 0) / 0x1_0000_0000;
  }

  chance(probability: number): boolean {
    return this.uniform() < probability;
  }

  /** A whole number from 0 to `count` − 1. */
  below(count: number): number {
    return Math.floor(this.uniform() * count);
  }

  between(low: number, high: number): number {
    return low + this.uniform() * (high - low);
  }

  pick<T>(list: readonly T[]): T {
    return list[this.below(list.length)]!;
  }

  /** An index drawn by cumulative weights, whose last entry is their sum. */
  index(cumulative: ArrayLike<number>): number {
    const wanted = this.uniform() * cumulative[cumulative.length - 1]!;
    let low = 0;
    let high = cumulative.length - 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (cumulative[middle]! > wanted) high = middle;
      else low = middle + 1;
    }
    return low;
  }

  exponential(): number {
    return -Math.log(1 - this.uniform());
  }

  /** Standard normal (Box and Muller 1958). */
  normal(): number {
    return Math.sqrt(2 * this.exponential()) * Math.cos(2 * Math.PI * this.uniform());
  }

  /** Gamma with this shape and scale 1 (Marsaglia and Tsang 2000). */
  gamma(shape: number): number {
    if (shape < 1) return this.gamma(shape + 1) * Math.pow(1 - this.uniform(), 1 / shape);
    const d = shape - 1 / 3;
    const c = 1 / Math.sqrt(9 * d);
    for (;;) {
      const x = this.normal();
      const v = (1 + c * x) ** 3;
      if (v > 0 && this.exponential() > d * v - d - d * Math.log(v) - 0.5 * x * x) return d * v;
    }
  }

  beta(a: number, b: number): number {
    const x = this.gamma(a);
    return x / (x + this.gamma(b));
  }

  /** Poisson for small means (Knuth: the product of uniforms). */
  poisson(mean: number): number {
    const floor = Math.exp(-mean);
    let count = 0;
    for (let product = this.uniform(); product > floor; product *= this.uniform()) count += 1;
    return count;
  }

  /** Shares that sum to 1, drawn from a Dirichlet distribution. */
  dirichlet(concentrations: ArrayLike<number>): Float64Array {
    const shares = new Float64Array(concentrations.length);
    let sum = 0;
    for (let i = 0; i < shares.length; i += 1) sum += shares[i] = this.gamma(concentrations[i]!);
    for (let i = 0; i < shares.length; i += 1) shares[i]! /= sum;
    return shares;
  }
}

/** A 32-bit finaliser (as in MurmurHash3): every input bit reaches every output bit. */
function mix(value: number): number {
  let h = value | 0;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) | 0;
}

/** A 32-bit number of a text, to name a stream by a campaign (FNV-1a). */
export function textKey(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i += 1) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return hash >>> 0;
}

export function cumulative(weights: ArrayLike<number>): Float64Array {
  const sums = new Float64Array(weights.length);
  let sum = 0;
  for (let i = 0; i < weights.length; i += 1) sums[i] = sum += weights[i]!;
  return sums;
}

/** Numbers of the streams' purposes. Never renumber: the same seed must stay the same shop. */
export const STREAM = {
  persona: 1,
  address: 2,
  orders: 3,
  basket: 4,
  sessions: 5,
  mail: 6,
  ads: 7,
  afterwards: 8,
  catalogue: 9,
  reaction: 10,
  extraOrder: 11,
} as const;
