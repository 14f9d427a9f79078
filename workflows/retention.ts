import { RETENTION_KINDS, type RetentionKind } from '../domain/retention.ts';
import { heavy } from './proxies.ts';

/** By Schedule, once a day: deletes what is older than the settings allow, kind by kind, until nothing is left. */
export async function retention(): Promise<Record<RetentionKind, number>> {
  const sums = Object.fromEntries(RETENTION_KINDS.map((kind) => [kind, 0])) as Record<
    RetentionKind,
    number
  >;
  for (const kind of RETENTION_KINDS) {
    // 2 million rows in one day at most: what is left is tomorrow's, so that the history stays short.
    for (let part = 0; part < PARTS_MAX; part += 1) {
      const { deleted, more } = await heavy.deleteOld.executeWithOptions(
        { summary: `old ${kind}` },
        [{ kind }],
      );
      sums[kind] += deleted;
      if (!more) break;
    }
  }
  return sums;
}

const PARTS_MAX = 10;
