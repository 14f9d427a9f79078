import { EVENT } from '../domain/records.ts';
import {
  type RetentionKind,
  type RetentionSettings,
  retentionSettings,
} from '../domain/retention.ts';
import { LINE_TYPE } from '../domain/warehouse-rows.ts';
import { type AuditContext, writeAudit } from './audit.ts';
import { type Db, type Queryable, type Tx, transaction } from './postgres.ts';
import { readSetting, writeSetting } from './settings.ts';

const SETTING = 'retention';

export async function readRetention(db: Queryable): Promise<RetentionSettings> {
  return retentionSettings((await readSetting<Record<string, unknown>>(db, SETTING)) ?? {});
}

/** Changes some of the settings; audited. */
export async function changeRetention(
  db: Db,
  by: AuditContext,
  change: Readonly<Record<string, unknown>>,
): Promise<RetentionSettings> {
  return transaction(db, async (tx) => {
    const before = (await readSetting<Record<string, unknown>>(tx, SETTING)) ?? {};
    const settings = retentionSettings({ ...before, ...change });
    await writeSetting(tx, SETTING, { ...before, ...change });
    await writeAudit(tx, by, {
      action: 'retention set',
      subject: 'retention',
      detail: { ...change },
    });
    return settings;
  });
}

/** Events that stay however old they are: what was bought, who is who, who said what about mail, and our own book-keeping. */
const KEPT_TYPES: readonly string[] = [
  EVENT.orderCompleted,
  EVENT.orderRefunded,
  LINE_TYPE.purchased,
  LINE_TYPE.returned,
  EVENT.emailDelivered,
  EVENT.emailBounced,
  EVENT.unsubscribed,
  EVENT.emailComplained,
  EVENT.consentChanged,
  EVENT.traitsChanged,
  EVENT.eventsMoved,
  EVENT.personMerged,
  EVENT.eventsSuperseded,
  EVENT.personErased,
  EVENT.campaignClosed,
  EVENT.listJoined,
  EVENT.listLeft,
  'Messages Settled',
];
const TRACKING_TYPES: readonly string[] = [EVENT.emailOpened, EVENT.emailClicked];

/** Which events a kind deletes: the same rule for the log and the warehouse. */
export interface EventRule {
  readonly kind: RetentionKind;
  readonly types: readonly string[];
  /** The types are those that stay. */
  readonly except: boolean;
  readonly anonymous: boolean;
}

export function eventRule(kind: RetentionKind): EventRule | null {
  switch (kind) {
    case 'tracking':
      return { kind, types: TRACKING_TYPES, except: false, anonymous: false };
    case 'anonymous':
      return { kind, types: KEPT_TYPES, except: true, anonymous: true };
    case 'behaviour':
      return { kind, types: [...KEPT_TYPES, ...TRACKING_TYPES], except: true, anonymous: false };
    case 'templates':
    case 'messageDetail':
      return null;
  }
}

/**
 * Deletes up to `limit` rows of one kind that are older than `beforeMs` (shop time), with an audit row, in one transaction.
 * Returns how many; fewer than `limit` where nothing more is left. Safe to repeat: what is gone is gone.
 */
export async function retain(
  db: Db,
  by: AuditContext,
  { kind, beforeMs, limit }: { kind: RetentionKind; beforeMs: number; limit: number },
): Promise<number> {
  return transaction(db, async (tx) => {
    const rule = eventRule(kind);
    const deleted = rule
      ? await deleteEvents(tx, rule, beforeMs, limit)
      : kind === 'templates'
        ? await emptyTemplates(tx, beforeMs, limit)
        : await emptyMessages(tx, beforeMs, limit);
    if (deleted > 0) {
      await writeAudit(tx, by, {
        action: 'retention',
        subject: `retention/${kind}`,
        detail: { deleted, before: new Date(beforeMs).toISOString() },
      });
    }
    return deleted;
  });
}

/** Only what the projector has passed: else the warehouse would learn of it after its own deletion. */
async function deleteEvents(
  tx: Tx,
  { types, except, anonymous }: EventRule,
  beforeMs: number,
  limit: number,
): Promise<number> {
  const { rowCount } = await tx.query(
    `delete from event e using (
       select x.tableoid as part, x.ctid as place from event x
       where x.at < to_timestamp($1::float8 / 1000) and (x.type = any ($2)) <> $3
         and (x.person_id is null or not $4)
         and (x.xid, x.id) <= (select p.xid, p.id from projector p where p.name = 'warehouse')
       limit $5) gone
     where e.tableoid = gone.part and e.ctid = gone.place`,
    [beforeMs, types, except, anonymous, limit],
  );
  return rowCount ?? 0;
}

async function emptyTemplates(tx: Tx, beforeMs: number, limit: number): Promise<number> {
  const { rowCount } = await tx.query(
    `update campaign set templates = '{}' where no in (
       select no from campaign where closed_at < to_timestamp($1::float8 / 1000) and templates <> '{}' limit $2)`,
    [beforeMs, limit],
  );
  return rowCount ?? 0;
}

/** A campaign at a time: its rows lie together. First its messages, then the addresses of its audience. */
async function emptyMessages(tx: Tx, beforeMs: number, limit: number): Promise<number> {
  const { rows } = await tx.query<{ no: number }>(
    `select no from campaign where closed_at < to_timestamp($1::float8 / 1000) and cleaned_at is null
     order by no limit 1 for update`,
    [beforeMs],
  );
  const no = rows[0]?.no;
  if (no === undefined) return 0;
  const messages = await tx.query(
    `update message set address = null, unit = null, reply = null, decision = null
     where campaign_no = $1 and ctid = any (array(
       select ctid from message where campaign_no = $1
         and (address is not null or unit is not null or reply is not null or decision is not null) limit $2))`,
    [no, limit],
  );
  const left = limit - (messages.rowCount ?? 0);
  const members = await tx.query(
    `update audience_member set unit = null where campaign_no = $1 and seq in (
       select seq from audience_member where campaign_no = $1 and unit is not null limit $2)`,
    [no, left],
  );
  const emptied = (messages.rowCount ?? 0) + (members.rowCount ?? 0);
  if (emptied < limit) {
    await tx.query('update campaign set cleaned_at = shop_now() where no = $1', [no]);
  }
  // Another campaign may be left, also where this one had nothing.
  return Math.max(1, emptied);
}
