import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { temporal } from '@temporalio/proto';
import { Worker } from '@temporalio/worker';
import { describe, expect, it } from 'vitest';
import { testBundle } from './support.ts';

const CORPUS = join(import.meta.dirname, '../replay/histories');
const histories = readdirSync(CORPUS).filter((name) => name.endsWith('.pb'));

/** Histories of runs as they were recorded: whoever changes a workflow sees here what would break in a running one. */
describe('recorded histories replay on the workflows of today', () => {
  it('has one for each path', () => {
    expect(histories.map((name) => name.replace('.pb', '')).sort()).toEqual([
      'approved',
      'large',
      'paused',
      'pilot',
      'plain',
      'recalled',
      'retention',
      'shard',
    ]);
  });

  it.each(histories)('%s', async (name) => {
    const { code } = await testBundle();
    const history = temporal.api.history.v1.History.decode(readFileSync(join(CORPUS, name)));
    await Worker.runReplayHistory({ workflowBundle: { code }, replayName: name }, history);
  });
});
