/**
 * A small seeded generator (sfc32, Chris Doty-Humphrey's "small fast chaotic", public domain; passes PractRand).
 * Not for secrets. The same seed gives the same numbers on every machine and version.
 */
export class Random {
  #a: number;
  #b: number;
  #c: number;
  #counter = 1;

  /** Streams of one seed with different `stream` numbers are independent: one per tree, one per start. */
  constructor(seed: number, stream = 0) {
    this.#a = mix(seed | 0);
    // A seed may be a time in ms, so its high part counts too.
    this.#b = mix(Math.floor(seed / 4_294_967_296) | 0);
    this.#c = mix((stream | 0) ^ 0x5bd1e995);
    for (let i = 0; i < 15; i++) this.uint32();
  }

  /** A whole number from 0 to 2³² − 1. */
  uint32(): number {
    const sum = (((this.#a + this.#b) | 0) + this.#counter) | 0;
    this.#counter = (this.#counter + 1) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = ((this.#c << 21) | (this.#c >>> 11)) + sum;
    this.#c |= 0;
    return sum >>> 0;
  }

  /** From 0 inclusive to 1 exclusive, 53 bits. */
  next(): number {
    return ((this.uint32() >>> 5) * 67_108_864 + (this.uint32() >>> 6)) / 9_007_199_254_740_992;
  }

  /** A whole number from 0 to `below` − 1. The bias is under `below` / 2³². */
  int(below: number): number {
    return Math.floor((this.uint32() / 4_294_967_296) * below);
  }

  /** A standard normal number (Box–Muller, one of the pair). */
  normal(): number {
    return Math.sqrt(-2 * Math.log(1 - this.next())) * Math.cos(2 * Math.PI * this.next());
  }

  /** `count` different numbers below `below`, in random order; all of them where there are not more. */
  sample(below: number, count: number): Int32Array {
    const all = Int32Array.from({ length: below }, (_, i) => i);
    const taken = Math.min(count, below);
    for (let i = 0; i < taken; i++) {
      const j = i + this.int(below - i);
      const held = all[i]!;
      all[i] = all[j]!;
      all[j] = held;
    }
    return all.slice(0, taken);
  }
}

/** A 32-bit finaliser (MurmurHash3), so that close seeds start far apart. */
function mix(value: number): number {
  let h = value ^ 0x9e3779b9;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return h ^ (h >>> 16);
}
