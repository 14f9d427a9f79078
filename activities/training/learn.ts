import { MS_PER_DAY } from '../../domain/clock.ts';
import { ORDER_HORIZON_DAYS } from '../../domain/features.ts';
import { KairosError } from '../../domain/errors.ts';
import { EVENT } from '../../domain/records.ts';
import type { BinaryCard } from '../../models/card.ts';
import { FittedRfmClusters } from '../../models/cluster/rfm.ts';
import type { DriftReport } from '../../models/drift-report.ts';
import { driftReport } from '../../models/drift-report.ts';
import type { Matrix } from '../../models/matrix.ts';
import { binaryModelFromJSON } from '../../models/registry.ts';
import type { Dataset } from '../../models/train-order.ts';
import { appendEvents } from '../../store/events.ts';
import { currentModel, modelVersion, saveScores } from '../../store/models.ts';
import type { Db } from '../../store/postgres.ts';
import type { Warehouse } from '../../store/warehouse/client.ts';
import {
  type FeatureOptions,
  type FeatureTable,
  featuresAsOf,
  rfmAsOf,
} from '../../store/warehouse/features.ts';
import type { Learned, Learner } from './activities.ts';
import { runJob } from './thread.ts';

interface Clients {
  db: Db;
  warehouse: Warehouse;
}
type LearnInput = Parameters<Learner['learn']>[0];
type ScoreInput = Parameters<Learner['score']>[0];

const SEED = 1;
/** People judged on at most; more change the figures in the third decimal only. */
const LATER_ROWS_MAX = 20_000;
/** People scored in one step; bounds memory and the time between two heartbeats. */
const SCORE_BATCH = 5_000;

/** Features of people at a moment, and whether they ordered in the 30 days after it. */
async function slice(warehouse: Warehouse, options: FeatureOptions): Promise<Dataset> {
  const { asOfMs } = options;
  const withinMs = ORDER_HORIZON_DAYS * MS_PER_DAY;
  const table = await featuresAsOf(warehouse, {
    ...options,
    label: { event: EVENT.orderCompleted, withinMs },
  });
  return { X: matrixOf(table), y: table.labels, window: { fromMs: asOfMs, toMs: asOfMs } };
}

const matrixOf = ({ rows, columns, data, names }: FeatureTable): Matrix => ({
  rows,
  columns,
  data,
  names,
});

/** P(order in 30 days): learnt on what was known 60 days ago, judged on what was known 30 days ago. */
export async function learnOrder({ db, warehouse }: Clients, input: LearnInput): Promise<Learned> {
  const horizonMs = ORDER_HORIZON_DAYS * MS_PER_DAY;
  const [train, later, current] = await Promise.all([
    slice(warehouse, { asOfMs: input.nowMs - 2 * horizonMs, limit: input.rowsMax, seed: SEED }),
    slice(warehouse, { asOfMs: input.nowMs - horizonMs, limit: LATER_ROWS_MAX, seed: SEED + 1 }),
    currentModel(db, 'order-30d'),
  ]);
  const result = await runJob(
    'order',
    {
      train,
      later,
      seed: SEED,
      name: 'order-30d',
      rowsMax: input.rowsMax,
      ...(current ? { current: current.blob } : {}),
    },
    { signal: input.signal, onProgress: ({ fraction, note }) => input.onProgress(fraction, note) },
  );
  return { card: result.card, blob: result.blob, refused: result.refused ?? null };
}

/** Clusters of customers by recency, orders and revenue, with names. */
export async function learnClusters({ warehouse }: Clients, input: LearnInput): Promise<Learned> {
  const table = await rfmAsOf(warehouse, { asOfMs: input.nowMs });
  const result = await runJob(
    'clusters',
    { X: matrixOf(table), asOfMs: input.nowMs, seed: SEED, name: 'rfm', rowsMax: input.rowsMax },
    { signal: input.signal, onProgress: ({ fraction, note }) => input.onProgress(fraction, note) },
  );
  return { card: result.card, blob: result.blob, refused: null };
}

/** Scores everyone as of now, in batches, into PostgreSQL (for `explain`) and the warehouse (for segments). */
export async function scoreOrder({ db, warehouse }: Clients, input: ScoreInput): Promise<number> {
  const model = binaryModelFromJSON((await modelVersion(db, input.version)).blob);
  const table = await featuresAsOf(warehouse, { asOfMs: input.nowMs });
  const name = input.shadow ? `${input.model}/shadow` : input.model;
  const at = { model: name, version: input.version, atMs: input.nowMs };
  for (const batch of batches(table)) {
    const values = model.predictProba(batch.X);
    await saveScores(
      db,
      at,
      batch.ids.map((personId, i) => ({ personId, value: values[i]!, features: batch.row(i) })),
    );
    if (!input.shadow) {
      await warehouse.insertScores(
        batch.ids.map((personId, i) => ({ ...at, personId, value: values[i]! })),
      );
    }
    input.onProgress(batch.done);
  }
  await tellScored(db, input);
  return table.ids.length;
}

/**
 * PSI of each feature between the model's training moment and now, and whether the orders of the last 30 days came as
 * often as it would have said 30 days ago.
 */
export async function driftOfOrder(
  { db, warehouse }: Clients,
  nowMs: number,
): Promise<{ version: number; report: DriftReport }> {
  const model = await currentModel(db, 'order-30d');
  if (!model) throw new KairosError('MODEL_UNKNOWN', 'No version of order-30d is in use.');
  const { window } = model.card as unknown as BinaryCard;
  const limit = LATER_ROWS_MAX;
  const [then, now, judged] = await Promise.all([
    slice(warehouse, { asOfMs: window.train.toMs, limit, seed: SEED }),
    slice(warehouse, { asOfMs: nowMs, limit, seed: SEED }),
    slice(warehouse, { asOfMs: nowMs - ORDER_HORIZON_DAYS * MS_PER_DAY, limit, seed: SEED }),
  ]);
  const report = driftReport(binaryModelFromJSON(model.blob), then, now, judged);
  return { version: model.version, report };
}

export async function scoreClusters(
  { db, warehouse }: Clients,
  input: ScoreInput,
): Promise<number> {
  const model = FittedRfmClusters.fromJSON((await modelVersion(db, input.version)).blob as never);
  const table = await rfmAsOf(warehouse, { asOfMs: input.nowMs });
  const at = { version: input.version, atMs: input.nowMs };
  for (const batch of batches(table)) {
    const numbers = model.predict(batch.X);
    const names = model.nameOf(batch.X);
    await saveScores(
      db,
      { ...at, model: input.shadow ? `${input.model}/shadow` : input.model },
      batch.ids.map((personId, i) => ({
        personId,
        value: numbers[i]!,
        features: batch.row(i),
        cluster: names[i]!,
      })),
    );
    if (!input.shadow) {
      await warehouse.insertClusters(
        batch.ids.map((personId, i) => ({ ...at, personId, name: names[i]! })),
      );
    }
    input.onProgress(batch.done);
  }
  await tellScored(db, input);
  return table.ids.length;
}

/** Live segments ask again what they know of everybody's scores (store/live/). */
async function tellScored(db: Db, { model, version, nowMs }: ScoreInput): Promise<void> {
  await appendEvents(db, [
    {
      messageId: `scored:${model}:${version}:${nowMs}`,
      type: EVENT.peopleScored,
      personId: null,
      atMs: nowMs,
      properties: { model, version },
    },
  ]);
}

interface Batch {
  ids: number[];
  X: Matrix;
  row(i: number): number[];
  done: number;
}

function* batches(table: FeatureTable): Generator<Batch> {
  const columns = table.names.length;
  for (let from = 0; from < table.ids.length; from += SCORE_BATCH) {
    const ids = [...table.ids.subarray(from, from + SCORE_BATCH)];
    const data = table.data.subarray(from * columns, (from + ids.length) * columns);
    yield {
      ids,
      X: { rows: ids.length, columns, data, names: table.names },
      row: (i) => [...data.subarray(i * columns, (i + 1) * columns)],
      done: from + ids.length,
    };
  }
}
