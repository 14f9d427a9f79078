import { condition, setHandler } from '@temporalio/workflow';
import { acts, heavy, learning } from '../proxies.ts';
import type { Decision } from './messages.ts';
import { decide } from './messages.ts';

export interface TrainingInput {
  readonly version: 1;
  /** `order-30d` or `rfm`. */
  readonly model: string;
  /** At most this many people to learn from; the first start takes few, to be quick. */
  readonly rowsMax: number;
  /** `ask`: the new model is a challenger that scores in the shadow until somebody decides; else it is in use at once. */
  readonly approval?: 'ask';
}

export interface TrainingResult {
  readonly version: number;
  readonly status: 'current' | 'refused' | 'retired';
  readonly reason: string | null;
  readonly scored: number;
}

/** Nobody decided for so long: the challenger is turned down, since a later one knows more. */
const DECISION_WAIT = '14 days';

/** Learns a model on what the log knows by now, judges it on a later slice, and scores everyone if it is better. */
export async function training(input: TrainingInput): Promise<TrainingResult> {
  const { model } = input;
  let decision: Decision | undefined;
  setHandler(decide, (said) => {
    decision ??= said;
  });
  await heavy.awaitProjector({ campaignNo: null });
  const hold = input.approval === 'ask' ? { hold: true } : {};
  const fitted = await learning.trainModel({ model, rowsMax: input.rowsMax, ...hold });
  if (fitted.status === 'refused') return { ...fitted, status: 'refused', scored: 0 };
  const { version } = fitted;
  if (input.approval === 'ask') {
    await learning.scoreEveryone({ model, version, shadow: true });
    await condition(() => decision !== undefined, DECISION_WAIT);
    if (decision?.approve !== true) {
      const reason = decision === undefined ? 'nobody decided in time' : 'turned down';
      await acts.turnDownModel({ version, by: decision?.by ?? 'kairos', reason });
      return { version, status: 'retired', reason, scored: 0 };
    }
    await acts.promoteModel({ version, by: decision.by, action: 'model promoted' });
  }
  const { scored } = await learning.scoreEveryone({ model, version });
  if (input.approval !== 'ask') await acts.auditTraining({ model, version, scored });
  return { version, status: 'current', reason: fitted.reason, scored };
}
