import { defineSearchAttributeKey } from '@temporalio/common';
import { upsertSearchAttributes } from '@temporalio/workflow';

/** The columns of Temporal UI. Not encrypted: ids, stages and counts, never an address or a name. */
const STAGE = defineSearchAttributeKey('KairosStage', 'KEYWORD');
const WAITING = defineSearchAttributeKey('KairosWaiting', 'KEYWORD');
const AUDIENCE = defineSearchAttributeKey('KairosAudience', 'INT');
const SENT = defineSearchAttributeKey('KairosSent', 'INT');

export function showStage(stage: string, waiting: string | null): void {
  upsertSearchAttributes([
    { key: STAGE, value: stage },
    { key: WAITING, value: waiting },
  ]);
}

export function showCounts(audience: number, sent: number): void {
  upsertSearchAttributes([
    { key: AUDIENCE, value: audience },
    { key: SENT, value: sent },
  ]);
}
