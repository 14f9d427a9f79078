import { upsertSearchAttributes } from '@temporalio/workflow';
import { SEARCH_ATTRIBUTES } from '../temporal.config.ts';

/** The columns of Temporal UI: stage and reason of the wait. */
export function showStage(stage: string, waiting: string | null): void {
  upsertSearchAttributes([
    { key: SEARCH_ATTRIBUTES.stage, value: stage },
    { key: SEARCH_ATTRIBUTES.waiting, value: waiting },
  ]);
}

export function showCounts(audience: number, sent: number): void {
  upsertSearchAttributes([
    { key: SEARCH_ATTRIBUTES.audience, value: audience },
    { key: SEARCH_ATTRIBUTES.sent, value: sent },
  ]);
}
