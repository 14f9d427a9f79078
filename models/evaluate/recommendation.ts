import type { FittedRecommender, Profile } from '../recommend/recommender.ts';
import { best } from '../recommend/recommender.ts';

/** One person of a test: what was known, and what they took later that was new for them. */
export interface RecommendationCase {
  readonly profile: Profile;
  readonly relevant: ReadonlySet<number>;
}

/** Means over the people, of the first `count` products that are not in their history. */
export interface RecommendationMetrics {
  /** Gain discounted by log2 of the place, over the best that was possible. */
  readonly ndcg: number;
  readonly precision: number;
  readonly recall: number;
  /** Of all products, those that were shown to anybody. */
  readonly coverage: number;
  /** Mean of −log2 of the share of people who have what was shown. */
  readonly novelty: number;
  /** Mean people of what is shown over mean people of what was taken: above 1 leans to what sells anyway. */
  readonly popularityBias: number;
}

export function recommendationMetrics(
  model: Pick<FittedRecommender, 'score' | 'people' | 'names'>,
  cases: Iterable<RecommendationCase>,
  { count = 10, population }: { readonly count?: number; readonly population: number },
): RecommendationMetrics {
  const { people } = model;
  const shown = new Uint8Array(model.names.length);
  let [ndcg, precision, recall, novelty, n] = [0, 0, 0, 0, 0];
  let [shownPeople, shownCount, takenPeople, takenCount] = [0, 0, 0, 0];
  for (const { profile, relevant } of cases) {
    const scores = model.score(profile);
    for (const item of profile.item) scores[item] = Number.NaN;
    let [gain, hits] = [0, 0];
    best(scores, people, count).forEach((item, place) => {
      shown[item] = 1;
      shownCount++;
      shownPeople += people[item]!;
      novelty -= Math.log2(Math.max(1, people[item]!) / population);
      if (!relevant.has(item)) return;
      hits++;
      gain += 1 / Math.log2(place + 2);
    });
    for (const item of relevant) takenPeople += people[item]!;
    takenCount += relevant.size;
    ndcg += gain / idealGain(Math.min(count, relevant.size));
    precision += hits / count;
    recall += hits / relevant.size;
    n++;
  }
  return {
    ndcg: ndcg / n,
    precision: precision / n,
    recall: recall / n,
    coverage: shown.reduce((sum, one) => sum + one, 0) / shown.length,
    novelty: novelty / shownCount,
    popularityBias: shownPeople / shownCount / (takenPeople / takenCount),
  };
}

/** The gain of a list whose first `hits` places are all right. */
export function idealGain(hits: number): number {
  let gain = 0;
  for (let place = 0; place < hits; place++) gain += 1 / Math.log2(place + 2);
  return gain;
}
