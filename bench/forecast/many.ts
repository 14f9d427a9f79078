import { Worker } from 'node:worker_threads';

const THREADS = 2;

/** Fits and forecasts made-up weekly series on two threads, the clock running from the threads' start to their end. */
export async function manySeries(
  series: number,
  log: (line: string) => void,
): Promise<{ series: number; seconds: number; threads: number }> {
  const begun = performance.now();
  await Promise.all(
    Array.from({ length: THREADS }, (_, thread) => {
      const from = Math.floor((series * thread) / THREADS);
      const to = Math.floor((series * (thread + 1)) / THREADS);
      return new Promise<void>((resolve, reject) => {
        const worker = new Worker(new URL('./weekly-thread.ts', import.meta.url), {
          workerData: { from, to },
        });
        worker.once('error', reject);
        worker.once('exit', (code) =>
          code === 0 ? resolve() : reject(new Error(`A thread ended with ${code}.`)),
        );
      });
    }),
  );
  const seconds = (performance.now() - begun) / 1000;
  log(`${series} weekly series: ${seconds.toFixed(1)} s`);
  return { series, seconds, threads: THREADS };
}
