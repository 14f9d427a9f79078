import { KairosError } from '../../domain/errors.ts';
import { invalid, invalidJson } from '../check.ts';
import type { ModelJson } from '../estimator.ts';
import { FittedAls } from './als.ts';
import { FittedContent } from './content.ts';
import { FittedEase } from './ease.ts';
import { FittedHybrid } from './hybrid.ts';
import { FittedItemKnn } from './item-knn.ts';
import { FittedPopularity } from './popularity.ts';
import type { FittedRecommender } from './recommender.ts';

/** Every kind of recommender, by the name that its JSON carries. Kinds are stored: never rename one. */
const READERS: Readonly<Record<string, (json: ModelJson) => FittedRecommender>> = {
  popularity: (json) => FittedPopularity.fromJSON(json),
  'item-knn': (json) => FittedItemKnn.fromJSON(json),
  ease: (json) => FittedEase.fromJSON(json),
  als: (json) => FittedAls.fromJSON(json),
  content: (json) => FittedContent.fromJSON(json),
  hybrid: (json) => FittedHybrid.fromJSON(json, recommenderFromJSON),
};

export const RECOMMENDER_KINDS: readonly string[] = Object.keys(READERS);

/** A stored recommender. MODEL_UNKNOWN for a kind that is not here, MODEL_INVALID for damaged JSON. */
export function recommenderFromJSON(json: unknown): FittedRecommender {
  if (typeof json !== 'object' || json === null || !('kind' in json)) {
    throw invalid(
      'The stored recommender is no object with a kind; it is damaged, so train it again.',
    );
  }
  const kind = String(json.kind);
  const read = Object.hasOwn(READERS, kind) ? READERS[kind] : undefined;
  if (!read) {
    throw new KairosError(
      'MODEL_UNKNOWN',
      `There is no kind of recommender "${kind}"; this version knows ${RECOMMENDER_KINDS.join(', ')}.`,
      { kind },
    );
  }
  try {
    return read(json as ModelJson);
  } catch (error) {
    if (error instanceof KairosError) throw error;
    throw invalidJson(kind, 'a part of it is absent or of another type');
  }
}
