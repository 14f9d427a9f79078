import { Worker } from 'node:worker_threads';
import { ERRORS, KairosError } from '../../domain/errors.ts';
import type { ErrorCode } from '../../domain/errors.ts';
import type { Progress } from '../../models/estimator.ts';
import { abortError } from '../../models/estimator.ts';
import type { JobInput, JobName, JobResult } from '../../models/jobs.ts';
import type { FromThread, ThreadInput } from './thread-entry.ts';

export interface ThreadOptions {
  /** Called for each progress of the training; the activity's heartbeat. */
  readonly onProgress?: (progress: Progress) => void;
  /** Stops the training: at its next unit of work, or by ending the thread after `graceMs`. */
  readonly signal?: AbortSignal;
  /** 2,000 by default. */
  readonly graceMs?: number;
  /** Heap of the thread in MiB, so that a training too large ends itself and not the worker; 2,048 by default. */
  readonly heapMiB?: number;
}

const ENTRY = new URL('./thread-entry.ts', import.meta.url);

/**
 * Runs one training of `models/jobs.ts` in a thread of its own, so that the worker goes on answering. The input is
 * copied; the result is plain data. Errors come back with their code; an abort is an AbortError; MODEL_REFUSED says
 * that the training outgrew its memory. The thread gets neither environment nor arguments, and is always ended.
 */
export async function runJob<N extends JobName>(
  job: N,
  input: JobInput<N>,
  options: ThreadOptions = {},
): Promise<JobResult<N>> {
  const { onProgress, signal, graceMs = 2_000, heapMiB = 2_048 } = options;
  if (signal?.aborted) throw abortError();
  const stop = new SharedArrayBuffer(4);
  const workerData: ThreadInput = { job, input, stop };
  const worker = new Worker(ENTRY, {
    workerData,
    env: {},
    argv: [],
    execArgv: [],
    resourceLimits: { maxOldGenerationSizeMb: heapMiB },
  });
  let killer: NodeJS.Timeout | undefined;
  const onAbort = (): void => {
    Atomics.store(new Int32Array(stop), 0, 1);
    killer = setTimeout(() => void worker.terminate(), graceMs);
  };
  signal?.addEventListener('abort', onAbort, { once: true });
  try {
    return (await resultOf(worker, onProgress, signal)) as JobResult<N>;
  } finally {
    clearTimeout(killer);
    signal?.removeEventListener('abort', onAbort);
    await worker.terminate();
  }
}

function resultOf(
  worker: Worker,
  onProgress: ThreadOptions['onProgress'],
  signal: AbortSignal | undefined,
): Promise<unknown> {
  return new Promise((resolve, reject) => {
    worker.on('message', (message: FromThread) => {
      switch (message.kind) {
        case 'progress':
          try {
            onProgress?.(message.progress);
          } catch (error) {
            // A heartbeat that throws ends the training, as it would without a thread.
            reject(error instanceof Error ? error : new Error(String(error)));
          }
          break;
        case 'done':
          resolve(message.result);
          break;
        case 'failed':
          reject(revived(message.error));
          break;
      }
    });
    worker.on('error', (error) => reject(outgrown(error as Error & { code?: string })));
    worker.on('exit', (code) =>
      reject(
        signal?.aborted
          ? abortError()
          : new Error(`The training's thread ended with code ${code} and without a result.`),
      ),
    );
  });
}

function outgrown(error: Error & { code?: string }): Error {
  if (error.code !== 'ERR_WORKER_OUT_OF_MEMORY') return error;
  return new KairosError(
    'MODEL_REFUSED',
    'The training outgrew the memory of its thread; train on fewer rows (rowsMax), or give it more.',
  );
}

/** Errors lose their class on the way between threads. */
function revived(error: Extract<FromThread, { kind: 'failed' }>['error']): Error {
  const { code } = error;
  if (code !== null && Object.hasOwn(ERRORS, code)) {
    return new KairosError(code as ErrorCode, error.message, error.details);
  }
  const plain = new Error(error.message);
  plain.name = error.name;
  if (error.stack !== null) plain.stack = error.stack;
  return plain;
}
