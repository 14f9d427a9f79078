import { learning } from '../proxies.ts';

export interface ModelDriftInput {
  readonly version: 1;
  readonly model: string;
}

/** Looks whether the people, the scores and the outcomes are still those that the model in use learnt from. */
export async function modelDrift(input: ModelDriftInput): Promise<{ level: string }> {
  return learning.checkDrift({ model: input.model });
}
