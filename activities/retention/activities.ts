import { heartbeat } from '@temporalio/activity';
import { MS_PER_DAY } from '../../domain/clock.ts';
import { type RetentionKind, daysOf } from '../../domain/retention.ts';
import { shopNowMs } from '../../store/clock.ts';
import type { Db } from '../../store/postgres.ts';
import { type EventRule, eventRule, readRetention, retain } from '../../store/retention.ts';
import { auditContext, whileBeating } from '../context.ts';

export interface RetentionDeps {
  db: Db;
  /** Deletes the same events in the warehouse. */
  deleteInWarehouse: (rule: EventRule, beforeMs: number) => Promise<void>;
}

export interface Deleted {
  deleted: number;
  /** There may be more: the part was ended so that an attempt stays short. */
  more: boolean;
}

/** Rows of one transaction: some tenths of a second. */
const BATCH = 5_000;
/** Batches of one call. */
const BATCHES_MAX = 40;

export function createRetentionActivities({ db, deleteInWarehouse }: RetentionDeps) {
  return {
    async deleteOld({ kind }: { kind: RetentionKind }): Promise<Deleted> {
      const days = daysOf(await readRetention(db), kind);
      if (days === null) return { deleted: 0, more: false };
      const beforeMs = (await shopNowMs(db)) - days * MS_PER_DAY;
      return whileBeating(async () => {
        let deleted = 0;
        for (let batch = 0; batch < BATCHES_MAX; batch += 1) {
          const part = await retain(db, auditContext(), { kind, beforeMs, limit: BATCH });
          deleted += part;
          heartbeat({ kind, deleted });
          if (part === 0) break;
          if (batch === BATCHES_MAX - 1) return { deleted, more: true };
        }
        // By time, so that an attempt that died between the two is made good by the next.
        const rule = eventRule(kind);
        if (rule) await deleteInWarehouse(rule, beforeMs);
        return { deleted, more: false };
      });
    },
  };
}

export type RetentionActivities = ReturnType<typeof createRetentionActivities>;
