import { Worker, isMainThread, parentPort, workerData } from 'node:worker_threads';
import { KairosError, type ErrorCode } from '../../domain/errors.ts';
import type { Progress } from '../../models/estimator.ts';
import { JOBS, type JobInput, type JobName, type JobResult } from '../../models/jobs.ts';

/** What goes into the thread, and what it says. */
interface Start {
  job: JobName;
  input: unknown;
  /** One flag in shared memory: 1 asks the job to stop, which its loop sees without an event loop. */
  stop: SharedArrayBuffer;
}
type Told =
  | { kind: 'progress'; progress: Progress }
  | { kind: 'done'; result: unknown }
  | {
      kind: 'failed';
      name: string;
      message: string;
      code?: string;
      details?: Record<string, unknown>;
    };

/** Runs a training in a thread of its own, since it blocks. Rejects with the job's error, code and all, or AbortError. */
export function runJob<N extends JobName>(
  job: N,
  input: JobInput<N>,
  { signal, onProgress }: { signal?: AbortSignal; onProgress?: (progress: Progress) => void } = {},
): Promise<JobResult<N>> {
  const stop = new SharedArrayBuffer(4);
  return new Promise((resolve, reject) => {
    const worker = new Worker(new URL(import.meta.url), {
      workerData: { kairosJob: { job, input, stop } satisfies Start },
    });
    const abort = (): void => void Atomics.store(new Int32Array(stop), 0, 1);
    if (signal?.aborted) abort();
    signal?.addEventListener('abort', abort, { once: true });
    worker.on('message', (told: Told) => {
      if (told.kind === 'progress') onProgress?.(told.progress);
      else if (told.kind === 'done') resolve(told.result as JobResult<N>);
      else reject(revive(told));
    });
    worker.once('error', reject);
    worker.once('exit', (code) => {
      signal?.removeEventListener('abort', abort);
      reject(new Error(`the training thread ended with code ${code} before it had a result`));
    });
  });
}

function revive(failed: Extract<Told, { kind: 'failed' }>): Error {
  if (failed.code) return new KairosError(failed.code as ErrorCode, failed.message, failed.details);
  const error = new Error(failed.message);
  error.name = failed.name;
  return error;
}

function work({ job, input, stop }: Start): void {
  const flag = new Int32Array(stop);
  const tell = (told: Told): void => parentPort!.postMessage(told);
  const ctx = {
    signal: {
      get aborted() {
        return Atomics.load(flag, 0) === 1;
      },
    },
    onProgress: (progress: Progress) => tell({ kind: 'progress', progress }),
  };
  try {
    tell({ kind: 'done', result: JOBS[job](input as never, ctx) });
  } catch (error) {
    const { name, message } = error as Error;
    const known =
      error instanceof KairosError ? { code: error.code, details: { ...error.details } } : {};
    tell({ kind: 'failed', name, message, ...known });
  }
}

const start = isMainThread ? undefined : (workerData as { kairosJob?: Start } | null)?.kairosJob;
if (start) work(start);
