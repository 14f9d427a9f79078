import type { Learned, Learner } from '../activities/training/activities.ts';
import {
  driftOfOrder,
  learnOrder,
  learnClusters,
  scoreClusters,
  scoreOrder,
} from '../activities/training/learn.ts';
import { KairosError } from '../domain/errors.ts';
import type { Db } from '../store/postgres.ts';
import type { Warehouse } from '../store/warehouse/client.ts';

/** The models that Kairos trains by itself, by name. */
export function createLearner(clients: { db: Db; warehouse: Warehouse }): Learner {
  return {
    learn(input): Promise<Learned> {
      switch (input.model) {
        case 'order-30d':
          return learnOrder(clients, input);
        case 'rfm':
          return learnClusters(clients, input);
        default:
          throw unknown(input.model);
      }
    },
    drift({ model, nowMs }) {
      if (model === 'order-30d') return driftOfOrder(clients, nowMs);
      throw unknown(model, 'order-30d');
    },
    score(input) {
      switch (input.model) {
        case 'order-30d':
          return scoreOrder(clients, input);
        case 'rfm':
          return scoreClusters(clients, input);
        default:
          throw unknown(input.model);
      }
    },
  };
}

function unknown(model: string, known = 'order-30d or rfm'): KairosError {
  return new KairosError('MODEL_UNKNOWN', `There is no model ${model}; expected ${known}.`);
}
