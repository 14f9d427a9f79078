import { writeFile } from 'node:fs/promises';
import { runJob } from '../activities/training/thread.ts';
import { KairosError } from '../domain/errors.ts';
import type { TableJobResult } from '../models/jobs.ts';
import type { TableCard } from '../models/train-table.ts';
import { ProgressLine } from './progress.ts';
import { readRawTable } from './raw-table.ts';

export interface TrainCsvOptions {
  csv: string;
  target: string;
  positive?: string;
  ignore?: string[];
  fold?: string;
  time?: string;
  group?: string;
  family?: string;
  seed: number;
  budget: number;
  costFalsePositive?: number;
  costFalseNegative?: number;
  maxSeconds?: number;
  out?: string;
}

/** Heap of the training's thread: some 60 million cells as text and as numbers. */
const HEAP_MIB = 4_096;

/** What a model file holds: the model and its card. */
export interface ModelFile {
  readonly model: unknown;
  readonly card: TableCard;
}

/** Trains on a file, with nothing running: in a thread of its own, with progress on stderr and Ctrl-C that ends it. */
export async function trainCsv(options: TrainCsvOptions): Promise<TableJobResult> {
  const { table, broken } = await readRawTable(options.csv);
  if (broken > 0) process.stderr.write(`${broken} rows could not be split into cells: left out.\n`);
  const { costFalsePositive: falsePositive, costFalseNegative: falseNegative } = options;
  if ((falsePositive === undefined) !== (falseNegative === undefined)) {
    throw new KairosError(
      'MODEL_INVALID',
      'Only one of --cost-false-positive and --cost-false-negative is given; expected both or none.',
    );
  }
  const stop = new AbortController();
  const onInterrupt = (): void => stop.abort();
  process.once('SIGINT', onInterrupt);
  const line = new ProgressLine();
  try {
    const result = await runJob(
      'table',
      {
        table,
        target: options.target,
        seed: options.seed,
        budget: options.budget,
        ...defined(options, ['positive', 'ignore', 'fold', 'time', 'group', 'family']),
        ...(options.maxSeconds === undefined ? {} : { secondsMax: options.maxSeconds }),
        ...(falsePositive === undefined || falseNegative === undefined
          ? {}
          : { costs: { falsePositive, falseNegative } }),
      },
      { signal: stop.signal, graceMs: 1_000, heapMiB: HEAP_MIB, onProgress: (p) => line.tell(p) },
    );
    if (options.out !== undefined) {
      const file: ModelFile = { model: result.blob, card: result.card };
      await writeFile(options.out, JSON.stringify(file));
    }
    return result;
  } finally {
    process.off('SIGINT', onInterrupt);
    line.end();
  }
}

function defined<T extends object, K extends keyof T>(
  from: T,
  keys: readonly K[],
): { [P in K]?: Exclude<T[P], undefined> } {
  const entries = keys.map((key) => [key, from[key]]).filter(([, value]) => value !== undefined);
  return Object.fromEntries(entries) as { [P in K]?: Exclude<T[P], undefined> };
}
