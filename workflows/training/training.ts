import { acts, heavy, learning } from '../proxies.ts';

export interface TrainingInput {
  readonly version: 1;
  /** `order-30d` or `rfm`. */
  readonly model: string;
  /** At most this many people to learn from; the first start takes few, to be quick. */
  readonly rowsMax: number;
}

export interface TrainingResult {
  readonly version: number;
  readonly status: 'current' | 'refused';
  readonly reason: string | null;
  readonly scored: number;
}

/** Learns a model on what the log knows by now, judges it on a later slice, and scores everyone if it is better. */
export async function training(input: TrainingInput): Promise<TrainingResult> {
  await heavy.awaitProjector({ campaignNo: null });
  const fitted = await learning.trainModel({ model: input.model, rowsMax: input.rowsMax });
  if (fitted.status === 'refused') return { ...fitted, scored: 0 };
  const scored = await learning.scoreEveryone({ model: input.model, version: fitted.version });
  await acts.auditTraining({ model: input.model, version: fitted.version, scored: scored.scored });
  return { ...fitted, scored: scored.scored };
}
