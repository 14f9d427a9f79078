import type { Objective } from '../optimise.ts';
import { digamma, logGamma } from './special.ts';

/** Different histories and how many people share each: most have bought once, so that there are far fewer. */
export interface Grouped {
  /** Place of the history's frequency in `frequencies`. */
  readonly code: Int32Array;
  readonly recency: Float64Array;
  readonly T: Float64Array;
  readonly count: Float64Array;
  readonly frequencies: Float64Array;
  readonly people: number;
}

/** Sorted by frequency, T and recency, so that the order of people changes no rounding. */
export function groupHistories(
  frequency: Float64Array,
  recency: Float64Array,
  T: Float64Array,
): Grouped {
  const order = Int32Array.from(frequency.keys()).sort(
    (i, j) => frequency[i]! - frequency[j]! || T[i]! - T[j]! || recency[i]! - recency[j]!,
  );
  const frequencies: number[] = [];
  const [code, recencies, ages, count] = [[], [], [], []] as number[][] as [
    number[],
    number[],
    number[],
    number[],
  ];
  let last = -1;
  for (const i of order) {
    const same =
      last >= 0 &&
      frequency[i] === frequency[last] &&
      T[i] === T[last] &&
      recency[i] === recency[last];
    if (same) {
      count[count.length - 1]! += 1;
      continue;
    }
    if (frequencies.at(-1) !== frequency[i]) frequencies.push(frequency[i]!);
    code.push(frequencies.length - 1);
    recencies.push(recency[i]!);
    ages.push(T[i]!);
    count.push(1);
    last = i;
  }
  return {
    code: Int32Array.from(code),
    recency: Float64Array.from(recencies),
    T: Float64Array.from(ages),
    count: Float64Array.from(count),
    frequencies: Float64Array.from(frequencies),
    people: frequency.length,
  };
}

/** Beyond e^±15 a parameter says the same as at it, and only rounding moves it. */
const BOUND = 15;

/**
 * Mean negative log-likelihood of the BG/NBD model (Fader, Hardie, Lee 2005, eq. 6) in θ = ln (r, α, a, b), with its
 * gradient. What depends on the frequency alone is computed once for each frequency, not for each person.
 */
export function bgNbdObjective(data: Grouped): Objective {
  const { code, recency, T, count, frequencies, people } = data;
  const kinds = frequencies.length;
  const [base, byR, byA, byB, odds] = Array.from({ length: 5 }, () => new Float64Array(kinds)) as [
    Float64Array,
    Float64Array,
    Float64Array,
    Float64Array,
    Float64Array,
  ];
  return (theta, gradient) => {
    gradient.fill(0);
    if (theta.some((value) => !(Math.abs(value) <= BOUND))) return Infinity;
    const [r, alpha, a, b] = theta.map(Math.exp) as unknown as [number, number, number, number];
    const logAlpha = Math.log(alpha);
    for (let f = 0; f < kinds; f++) {
      const x = frequencies[f]!;
      base[f] =
        logGamma(r + x) -
        logGamma(r) +
        r * logAlpha +
        logGamma(a + b) +
        logGamma(b + x) -
        logGamma(b) -
        logGamma(a + b + x);
      byR[f] = digamma(r + x) - digamma(r) + logAlpha;
      byA[f] = digamma(a + b) - digamma(a + b + x);
      byB[f] = byA[f]! + digamma(b + x) - digamma(b);
      odds[f] = x > 0 ? Math.log(a / (b + x - 1)) : -Infinity;
    }
    let total = 0;
    let [gr, gAlpha, ga, gb] = [0, 0, 0, 0];
    for (let i = 0; i < code.length; i++) {
      const f = code[i]!;
      const x = frequencies[f]!;
      const weight = count[i]!;
      const logAge = Math.log(alpha + T[i]!);
      let logLast = 0;
      let gone = 0;
      let likelihood = base[f]! - (r + x) * logAge;
      if (x > 0) {
        logLast = Math.log(alpha + recency[i]!);
        const logOdds = odds[f]! + (r + x) * (logAge - logLast);
        // The odds that the last purchase was the last for ever.
        const soft =
          logOdds > 0 ? logOdds + Math.log1p(Math.exp(-logOdds)) : Math.log1p(Math.exp(logOdds));
        likelihood += soft;
        gone = 1 / (1 + Math.exp(-logOdds));
      }
      total += weight * likelihood;
      gr += weight * (byR[f]! - (1 - gone) * logAge - gone * logLast);
      gAlpha +=
        weight *
        (r / alpha -
          ((1 - gone) * (r + x)) / (alpha + T[i]!) -
          (gone * (r + x)) / (alpha + recency[i]!));
      ga += weight * (byA[f]! + gone / a);
      gb += weight * (byB[f]! - (x > 0 ? gone / (b + x - 1) : 0));
    }
    gradient[0] = (-gr * r) / people;
    gradient[1] = (-gAlpha * alpha) / people;
    gradient[2] = (-ga * a) / people;
    gradient[3] = (-gb * b) / people;
    return -total / people;
  };
}
