import { acts, learning } from '../proxies.ts';

export interface PromotionInput {
  readonly version: 1;
  readonly model: string;
  /** The version to use from now on; a roll-back names an earlier one. */
  readonly modelVersion: number;
  readonly action: 'model promoted' | 'model rolled back';
  readonly by: string;
}

/** Makes a stored model the one in use, and scores everyone by it. */
export async function promotion(input: PromotionInput): Promise<{ scored: number }> {
  const { model, modelVersion, action, by } = input;
  await acts.promoteModel({ version: modelVersion, by, action });
  return learning.scoreEveryone({ model, version: modelVersion });
}
