import type { BenchResult } from '../support/result.ts';

/** What one family of models hands to `bench/models.ts`. */
export type FamilyResult = Required<BenchResult>;

export interface FamilyOptions {
  readonly rounds: number;
  readonly log: (line: string) => void;
}

/** Runs a family beside its references, in one run. */
export type Family = (options: FamilyOptions) => Promise<FamilyResult>;
