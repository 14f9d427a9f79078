import { workerData } from 'node:worker_threads';
import { Automatic } from '../../models/forecast/automatic.ts';
import { Random } from '../../models/random.ts';

const WEEKS = 104;
const AHEAD = 8;

/** Weekly demand: some products sell daily with a yearly season and a trend, a third now and then. */
function demand(seed: number): Float64Array {
  const random = new Random(1, seed);
  const level = Math.exp(1 + 3 * random.next());
  const trend = 0.01 * random.normal();
  const swing = 0.5 * random.next();
  const rare = random.next() < 0.33;
  return Float64Array.from({ length: WEEKS }, (_, t) => {
    if (rare && random.next() < 0.5) return 0;
    const mean = level * Math.exp(trend * t + swing * Math.sin((2 * Math.PI * t) / 52));
    return Math.max(0, Math.round(mean + Math.sqrt(mean) * random.normal()));
  });
}

const { from, to } = workerData as { from: number; to: number };
const automatic = new Automatic({ horizon: AHEAD });
for (let i = from; i < to; i++) {
  const forecast = automatic.fit({ values: demand(i), period: 52 }).predict(AHEAD);
  if (!forecast.every(Number.isFinite)) throw new Error(`Series ${i} has no finite forecast.`);
}
