import { describe, expect, it } from 'vitest';
import { runJob } from '../../activities/training/thread.ts';
import { KairosError } from '../../domain/errors.ts';
import type { Progress } from '../../models/estimator.ts';
import { trainClustersJob, trainOrderJob } from '../../models/jobs.ts';
import { customers, DAY, orderDataset } from './support.ts';

const train = orderDataset(1, 600, 0);
const later = orderDataset(2, 200, 30 * DAY);

describe('a training in a thread of its own', { timeout: 60_000 }, () => {
  it('gives what it gives here, with progress, while this thread goes on', async () => {
    const told: Progress[] = [];
    let beats = 0;
    const heart = setInterval(() => beats++, 20);
    const before = train.X.data.slice();
    const result = await runJob(
      'order',
      { train, later, seed: 3 },
      { onProgress: (progress) => told.push(progress) },
    );
    clearInterval(heart);
    expect(result).toEqual(
      JSON.parse(JSON.stringify(trainOrderJob({ train, later, seed: 3 }, {}))),
    );
    expect(told.at(-1)!.fraction).toBe(1);
    expect(beats).toBeGreaterThan(5);
    expect(train.X.data).toEqual(before);
  });

  it('clusters too, and takes the model in use as JSON', async () => {
    const input = { X: customers(1, 200), asOfMs: 0, seed: 1, k: 4 };
    expect(await runJob('clusters', input)).toEqual(
      JSON.parse(JSON.stringify(trainClustersJob(input, {}))),
    );
    const { blob } = await runJob('order', { train, later, seed: 3 });
    const next = await runJob('order', { train, later, seed: 4, current: blob });
    expect(next.card.current!.metrics.rocAuc).toBeGreaterThan(0.7);
  });

  it('keeps the code and the details of an error', async () => {
    const broken = { ...train, y: train.y.slice(1) };
    const failed = runJob('order', { train: broken, later, seed: 1 });
    await expect(failed).rejects.toBeInstanceOf(KairosError);
    await expect(failed).rejects.toMatchObject({
      code: 'MODEL_INVALID',
      retryable: false,
      details: { row: 599 },
    });
  });

  it('stops at its next unit of work when it is aborted', async () => {
    const big = orderDataset(1, 20_000, 0);
    const controller = new AbortController();
    const running = runJob(
      'order',
      { train: big, later, seed: 1 },
      { signal: controller.signal, onProgress: () => controller.abort() },
    );
    const started = performance.now();
    await expect(running).rejects.toMatchObject({ name: 'AbortError' });
    expect(performance.now() - started).toBeLessThan(10_000);
    const never = runJob('order', { train, later, seed: 1 }, { signal: controller.signal });
    await expect(never).rejects.toMatchObject({ name: 'AbortError' });
  });

  it('ends a thread that does not stop in time', async () => {
    // One start of this takes longer than the test may: between two starts it could stop by itself.
    const big = customers(1, 60_000);
    const started = performance.now();
    const running = runJob(
      'clusters',
      { X: big, asOfMs: 0, seed: 1, k: 100, rowsMax: 60_000 },
      { signal: AbortSignal.timeout(900), graceMs: 0 },
    );
    await expect(running).rejects.toMatchObject({ name: 'AbortError' });
    expect(performance.now() - started).toBeLessThan(15_000);
  });

  it('says so when it outgrows its memory', async () => {
    const big = customers(1, 100_000);
    const running = runJob('clusters', { X: big, asOfMs: 0, seed: 1 }, { heapMiB: 8 });
    await expect(running).rejects.toMatchObject({ code: 'MODEL_REFUSED' });
  });

  it('ends with the error of a heartbeat that throws', async () => {
    const onProgress = (): never => {
      throw new Error('no heartbeat');
    };
    const running = runJob('order', { train, later, seed: 1 }, { onProgress });
    await expect(running).rejects.toThrow('no heartbeat');
  });
});
