import { KairosError } from '../domain/errors.ts';
import type { BinaryCard, ClusterCard } from './card.ts';
import type { FitContext, ModelJson } from './estimator.ts';
import { binaryModelFromJSON } from './registry.ts';
import type { TrainClustersInput } from './train-cluster.ts';
import { trainClusters } from './train-cluster.ts';
import type { TrainOrderInput } from './train-order.ts';
import type { TableCard, TrainTableInput } from './train-table.ts';
import { trainTable } from './train-table.ts';
import { trainOrderModel } from './train-order.ts';

/**
 * Trainings from plain data to plain data, so that they can run in a thread of their own
 * (`activities/training/thread.ts`): models go in and come out as JSON.
 */
export const JOBS = {
  order: trainOrderJob,
  clusters: trainClustersJob,
  table: trainTableJob,
} as const;

export type JobName = keyof typeof JOBS;
export type JobInput<N extends JobName> = Parameters<(typeof JOBS)[N]>[0];
export type JobResult<N extends JobName> = ReturnType<(typeof JOBS)[N]>;

export interface OrderJobInput extends Omit<TrainOrderInput, 'ctx' | 'estimator' | 'current'> {
  /** JSON of the model in use; one that cannot be read any more is left out of the card. */
  readonly current?: unknown;
}

export interface OrderJobResult {
  readonly blob: ModelJson;
  readonly card: BinaryCard;
  readonly refused?: string;
}

export function trainOrderJob(input: OrderJobInput, ctx: FitContext): OrderJobResult {
  const { current, ...rest } = input;
  const known = current === undefined ? {} : currentOf(current);
  const { model, card, refused } = trainOrderModel({ ...rest, ...known, ctx });
  const result = { blob: model.toJSON(), card };
  return refused === undefined ? result : { ...result, refused };
}

/** A model of an older format must not stand in the way of the training that replaces it. */
function currentOf(json: unknown): Pick<TrainOrderInput, 'current'> {
  try {
    return { current: binaryModelFromJSON(json) };
  } catch (error) {
    if (error instanceof KairosError) return {};
    throw error;
  }
}

export interface ClustersJobResult {
  readonly blob: ModelJson;
  readonly card: ClusterCard;
}

export function trainClustersJob(
  input: Omit<TrainClustersInput, 'ctx'>,
  ctx: FitContext,
): ClustersJobResult {
  const { model, card } = trainClusters({ ...input, ctx });
  return { blob: model.toJSON(), card };
}

export interface TableJobResult {
  readonly blob: ModelJson;
  readonly card: TableCard;
  readonly refused?: string;
}

/** A table as a file has it; `clock` cannot cross threads, so the thread's own counts `secondsMax`. */
export function trainTableJob(
  input: Omit<TrainTableInput, 'ctx' | 'clock'>,
  ctx: FitContext,
): TableJobResult {
  const { model, card, refused } = trainTable({ ...input, clock: () => performance.now(), ctx });
  const result = { blob: model.toJSON(), card };
  return refused === undefined ? result : { ...result, refused };
}
