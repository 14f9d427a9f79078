import { KairosError } from '../domain/errors.ts';
import type { SourceKind, SourceOptions } from '../domain/webhooks/inward.ts';
import { writeAudit } from './audit.ts';
import { type Db, type Queryable, transaction } from './postgres.ts';
import type { Vault } from './sealed.ts';

/** A shop's system that sends webhooks, without its secret. */
export interface WebhookSource {
  /** Stands in the address that it sends to. */
  id: string;
  kind: SourceKind;
  options: SourceOptions;
  createdAtMs: number;
}

const subjectOf = (id: string): string => `webhook-source/${id}`;
export const SOURCE_ID = /^[a-z0-9][a-z0-9-]{0,39}$/;

/** Adds a source, or gives the one of that id a new secret and new options. Returns which. */
export async function putWebhookSource(
  db: Db,
  vault: Vault,
  source: { id: string; kind: SourceKind; secret: string; options: SourceOptions },
  actor: string,
): Promise<'added' | 'changed'> {
  const { id, kind, secret, options } = source;
  if (!SOURCE_ID.test(id)) {
    throw new KairosError(
      'WEBHOOK_INVALID',
      'The name of a webhook source stands in its address; expected 1 to 40 small letters, digits and hyphens.',
    );
  }
  return transaction(db, async (tx) => {
    const { rows } = await tx.query<{ isNew: boolean; kind: SourceKind }>(
      `insert into webhook_source (id, kind, sealed, options) values ($1, $2, $3, $4)
       on conflict (id) do update set sealed = excluded.sealed, options = excluded.options, removed_at = null,
         kind = case when webhook_source.removed_at is null then webhook_source.kind else excluded.kind end
       returning (xmax = 0) as "isNew", kind`,
      [id, kind, vault.seal(subjectOf(id), secret), JSON.stringify(options)],
    );
    const row = rows[0]!;
    if (row.kind !== kind) {
      throw new KairosError(
        'STATE_CONFLICT',
        `The webhook source ${id} is of ${row.kind}: remove it first, or give this one another --name.`,
      );
    }
    const action = row.isNew ? 'webhook source added' : 'webhook source changed';
    await writeAudit(tx, { actor }, { action, subject: subjectOf(id), detail: { kind } });
    return row.isNew ? 'added' : 'changed';
  });
}

/** From within five seconds on nothing is taken from it. */
export async function removeWebhookSource(db: Db, id: string, actor: string): Promise<void> {
  await transaction(db, async (tx) => {
    const { rowCount } = await tx.query(
      `update webhook_source set removed_at = clock_timestamp(), sealed = '' where id = $1 and removed_at is null`,
      [id],
    );
    if (rowCount === 0) {
      throw new KairosError(
        'WEBHOOK_UNKNOWN',
        `There is no webhook source ${id}; \`kairos webhook-source list\` shows them.`,
      );
    }
    await writeAudit(tx, { actor }, { action: 'webhook source removed', subject: subjectOf(id) });
  });
}

export async function webhookSources(
  db: Queryable,
): Promise<(WebhookSource & { sealed: Buffer })[]> {
  const { rows } = await db.query<WebhookSource & { sealed: Buffer }>(
    `select id, kind, options, sealed, (extract(epoch from created_at) * 1000)::double precision as "createdAtMs"
     from webhook_source where removed_at is null order by id`,
  );
  return rows;
}

/** A source's secret in the clear. */
export function secretOf(vault: Vault, source: { id: string; sealed: Buffer }): string {
  return vault.open(subjectOf(source.id), source.sealed);
}

/** The shop's ids of who bought these orders, by order id: refunds of some systems name the order only. */
export async function buyersOf(
  db: Queryable,
  orderIds: readonly string[],
): Promise<Map<string, string>> {
  if (orderIds.length === 0) return new Map();
  const { rows } = await db.query<{ orderId: string; externalId: string }>(
    `select distinct on (1) e.properties ->> 'orderId' as "orderId", p.external_id as "externalId"
     from event e join person p on p.id = e.person_id
     where e.type = 'Order Completed' and e.properties ->> 'orderId' = any ($1) order by 1, e.id`,
    [orderIds],
  );
  return new Map(rows.map((row) => [row.orderId, row.externalId]));
}
