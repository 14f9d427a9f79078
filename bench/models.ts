import { clusters } from './models/clusters.ts';
import type { Family } from './models/family.ts';
import { lifetime } from './models/lifetime.ts';
import { linear } from './models/linear.ts';
import { orders } from './models/orders.ts';
import { trees } from './models/trees.ts';
import { uplift } from './models/uplift.ts';
import type { BenchOptions, BenchResult, BenchTable } from './support/result.ts';

/** Each family of models beside its references; `--family NAME` runs one. */
const FAMILIES: Readonly<Record<string, Family>> = {
  trees,
  linear,
  orders,
  lifetime,
  uplift,
  clusters,
};

export async function run({ rounds, log, family }: BenchOptions): Promise<BenchResult> {
  if (family !== undefined && !Object.hasOwn(FAMILIES, family)) {
    throw new Error(
      `There is no family "${family}"; expected one of ${Object.keys(FAMILIES).join(', ')}.`,
    );
  }
  const figures: Record<string, number> = {};
  const ratios: Record<string, number> = {};
  const tables: BenchTable[] = [];
  const notes: string[] = [];
  for (const [name, each] of Object.entries(FAMILIES)) {
    if (family !== undefined && family !== name) continue;
    log(`family ${name}`);
    const result = await each({ rounds, log });
    Object.assign(figures, result.figures);
    Object.assign(ratios, result.ratios);
    tables.push(...result.tables);
    notes.push(...result.notes);
  }
  return { figures, ratios, tables, notes };
}
