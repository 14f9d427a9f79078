import { currentModel } from '../../store/models.ts';
import { startTraining } from '../temporal.ts';
import { type Demo, count, step } from './context.ts';

/** The first models learn from few people, to be quick; the Schedules train on more later. */
const FIRST_ROWS = 1_500;

/** Clusters and P(order in 30 days), each by its workflow, both at once; skipped where there is a current model. */
export async function trainFirst(demo: Demo): Promise<void> {
  const known = await Promise.all(['rfm', 'order-30d'].map((name) => currentModel(demo.db, name)));
  if (known.every((model) => model !== null)) return;
  await step(
    demo,
    'Models',
    () => Promise.all([train(demo, 'rfm', 100_000), train(demo, 'order-30d', FIRST_ROWS)]),
    ([clusters, order]) =>
      order.status === 'refused'
        ? `order-30d was refused: ${order.reason ?? ''}`
        : `clusters and order-30d, ${count(Math.max(clusters.scored, order.scored))} people scored`,
  );
}

async function train(demo: Demo, model: string, rowsMax: number) {
  const run = await startTraining(demo.temporal, { version: 1, model, rowsMax });
  return run.result();
}
