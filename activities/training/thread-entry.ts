import { parentPort, workerData } from 'node:worker_threads';
import { KairosError } from '../../domain/errors.ts';
import type { FitContext, Progress } from '../../models/estimator.ts';
import type { JobName } from '../../models/jobs.ts';
import { JOBS } from '../../models/jobs.ts';

/** What `thread.ts` hands to a thread. */
export interface ThreadInput {
  readonly job: JobName;
  readonly input: unknown;
  /** One Int32 that becomes 1 when the training shall stop: a busy thread reads no messages. */
  readonly stop: SharedArrayBuffer;
}

export type FromThread =
  | { readonly kind: 'progress'; readonly progress: Progress }
  | { readonly kind: 'done'; readonly result: unknown }
  | {
      readonly kind: 'failed';
      readonly error: {
        readonly name: string;
        readonly message: string;
        readonly stack: string | null;
        readonly code: string | null;
        readonly details: Record<string, unknown>;
      };
    };

/** An operator sees no more often than this, and a message per tree would cost more than a small tree. */
const PROGRESS_EVERY_MS = 100;

const port = parentPort;
if (port) run(workerData as ThreadInput, (message) => port.postMessage(message));

function run({ job, input, stop }: ThreadInput, post: (message: FromThread) => void): void {
  const flag = new Int32Array(stop);
  let told = -Infinity;
  const context: FitContext = {
    signal: {
      get aborted() {
        return Atomics.load(flag, 0) === 1;
      },
    },
    onProgress: (progress) => {
      if (performance.now() - told < PROGRESS_EVERY_MS && progress.fraction < 1) return;
      told = performance.now();
      post({ kind: 'progress', progress });
    },
  };
  try {
    const train = JOBS[job] as (input: unknown, ctx: FitContext) => unknown;
    post({ kind: 'done', result: train(input, context) });
  } catch (error) {
    const { name, message, stack } = error instanceof Error ? error : new Error(String(error));
    const known = error instanceof KairosError;
    post({
      kind: 'failed',
      error: {
        name,
        message,
        stack: stack ?? null,
        code: known ? error.code : null,
        details: known ? { ...error.details } : {},
      },
    });
  }
}
