import { defineSignal } from '@temporalio/workflow';

export interface Decision {
  readonly approve: boolean;
  /** Whose decision it is: a role or a login, never an address. */
  readonly by: string;
}

/** Answers a training that waits for an approval. */
export const decide = defineSignal<[Decision]>('decide');
