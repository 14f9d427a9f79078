import { createHash, randomBytes } from 'node:crypto';
import { KairosError } from '../domain/errors.ts';
import {
  LOG_TYPES,
  type OutwardMessage,
  type OutwardType,
  outwardBody,
  outwardMessages,
} from '../domain/webhooks/outward.ts';
import { writeAudit } from './audit.ts';
import { type Db, type Queryable, type Tx, transaction } from './postgres.ts';
import type { Vault } from './sealed.ts';

/** A system that hears of message events, with how it goes. */
export interface WebhookEndpoint {
  id: string;
  url: string;
  types: OutwardType[];
  delivered: number;
  waiting: number;
  dead: number;
  failingSinceMs: number | null;
  disabledReason: string | null;
}

const ENDPOINTS_MAX = 20;
/** While so much waits for an endpoint, its further news stay in the log. */
const WAITING_MAX = 10_000;
const EVENTS_AT_ONCE = 200;
const ms = (column: string): string => `(extract(epoch from ${column}) * 1000)::double precision`;
const subjectOf = (id: string): string => `webhook/${id}`;

/** Adds an endpoint; it hears of what happens from now on. The secret is shown once, and stands sealed in the database. */
export async function addEndpoint(
  db: Db,
  vault: Vault,
  endpoint: { url: string; types: readonly OutwardType[]; secret: string },
  actor: string,
): Promise<string> {
  const id = `ep-${randomBytes(5).toString('hex')}`;
  const { url, types, secret } = endpoint;
  await transaction(db, async (tx) => {
    await tx.query('lock table webhook_endpoint in share row exclusive mode');
    const { rows } = await tx.query<{ n: number }>(
      'select count(*) as n from webhook_endpoint where removed_at is null',
    );
    if (rows[0]!.n >= ENDPOINTS_MAX) {
      throw new KairosError(
        'STATE_CONFLICT',
        `There are ${ENDPOINTS_MAX} webhook endpoints already, which is the most; remove one first.`,
      );
    }
    await tx.query(
      `insert into webhook_endpoint (id, url, types, sealed, xid, position) values ($1, $2, $3, $4,
         (pg_snapshot_xmin(pg_current_snapshot())::text::bigint - 1)::text::xid8, 9223372036854775807)`,
      [id, url, types, vault.seal(subjectOf(id), secret)],
    );
    const detail = { host: new URL(url).host, types };
    await writeAudit(
      tx,
      { actor },
      { action: 'webhook endpoint added', subject: subjectOf(id), detail },
    );
  });
  return id;
}

/** Nothing more goes to it; what waited is dropped. */
export async function removeEndpoint(db: Db, id: string, actor: string): Promise<void> {
  await change(db, id, actor, {
    action: 'webhook endpoint removed',
    set: `removed_at = clock_timestamp(), sealed = ''`,
    and: (tx) => tx.query('delete from webhook_delivery where endpoint_id = $1', [id]),
  });
}

/** Tries again what waits for an endpoint that was disabled. */
export async function enableEndpoint(db: Db, id: string, actor: string): Promise<void> {
  await change(db, id, actor, {
    action: 'webhook endpoint enabled',
    set: 'disabled_at = null, disabled_reason = null, failing_since = null, paused_until = null',
    and: (tx) =>
      tx.query(
        'update webhook_delivery set next_at = clock_timestamp() where endpoint_id = $1 and next_at is not null',
        [id],
      ),
  });
}

async function change(
  db: Db,
  id: string,
  actor: string,
  what: { action: string; set: string; and: (tx: Tx) => Promise<unknown> },
): Promise<void> {
  await transaction(db, async (tx) => {
    const { rowCount } = await tx.query(
      `update webhook_endpoint set ${what.set} where id = $1 and removed_at is null`,
      [id],
    );
    if (rowCount === 0) throw unknownEndpoint(id);
    await what.and(tx);
    await writeAudit(tx, { actor }, { action: what.action, subject: subjectOf(id) });
  });
}

const unknownEndpoint = (id: string): KairosError =>
  new KairosError(
    'WEBHOOK_UNKNOWN',
    `There is no webhook endpoint ${id}; \`kairos webhook list\` shows them.`,
  );

export async function webhookEndpoints(db: Queryable): Promise<WebhookEndpoint[]> {
  const { rows } = await db.query<WebhookEndpoint>(
    `select e.id, e.url, e.types, e.delivered, ${ms('e.failing_since')} as "failingSinceMs",
       e.disabled_reason as "disabledReason", count(d.id) filter (where d.next_at is not null) as waiting,
       count(d.id) filter (where d.dead_at is not null) as dead
     from webhook_endpoint e left join webhook_delivery d on d.endpoint_id = e.id
     where e.removed_at is null group by e.id order by e.created_at, e.id`,
  );
  return rows;
}

/** Address and secret of an endpoint, for one attempt. */
export async function endpointTarget(
  db: Queryable,
  vault: Vault,
  id: string,
): Promise<{ url: string; secret: string }> {
  const { rows } = await db.query<{ url: string; sealed: Buffer }>(
    'select url, sealed from webhook_endpoint where id = $1 and removed_at is null',
    [id],
  );
  const row = rows[0];
  if (!row) throw unknownEndpoint(id);
  return { url: row.url, secret: vault.open(subjectOf(id), row.sealed) };
}

/** Those that may be sent to now. */
export async function activeEndpoints(db: Queryable): Promise<string[]> {
  const { rows } = await db.query<{ id: string }>(
    `select id from webhook_endpoint where removed_at is null and disabled_at is null
       and (paused_until is null or paused_until <= clock_timestamp())`,
  );
  return rows.map((row) => row.id);
}

/**
 * Moves the next news of the log into the outbox of an endpoint and its cursor behind them, in one transaction, so that
 * none is lost or doubled. Returns true where there may be more.
 */
export async function fillOutbox(db: Db, endpointId: string): Promise<boolean> {
  return transaction(db, async (tx) => {
    const { rows } = await tx.query<{ types: OutwardType[]; xid: string; position: number }>(
      `select types, xid::text as xid, position::text as position from webhook_endpoint
       where id = $1 and disabled_at is null and removed_at is null for update skip locked`,
      [endpointId],
    );
    const endpoint = rows[0];
    if (!endpoint || (await waitingFor(tx, endpointId)) >= WAITING_MAX) return false;
    const head = await tx.query<{ xid: string; id: number }>(
      `select xid::text as xid, id from event where xid < pg_snapshot_xmin(pg_current_snapshot())
         and (xid, id) > ($1::text::xid8, $2::bigint) order by event.xid desc, event.id desc limit 1`,
      [endpoint.xid, endpoint.position],
    );
    if (!head.rows[0]) return false;
    const events = await newsBetween(tx, endpoint, head.rows[0]);
    await putDeliveries(tx, endpointId, events, new Set(endpoint.types));
    const isFull = events.length === EVENTS_AT_ONCE;
    const last = isFull ? events.at(-1)! : head.rows[0];
    await tx.query(
      'update webhook_endpoint set xid = $2::text::xid8, position = $3 where id = $1',
      [endpointId, last.xid, last.id],
    );
    return isFull;
  });
}

async function waitingFor(tx: Tx, endpointId: string): Promise<number> {
  const { rows } = await tx.query<{ n: number }>(
    'select count(*) as n from webhook_delivery where endpoint_id = $1 and next_at is not null',
    [endpointId],
  );
  return rows[0]!.n;
}

interface News {
  id: number;
  xid: string;
  type: string;
  personId: number | null;
  atMs: number;
  properties: Record<string, unknown>;
}

async function newsBetween(
  tx: Tx,
  endpoint: { types: readonly OutwardType[]; xid: string; position: number },
  head: { xid: string; id: number },
): Promise<News[]> {
  const types = [...new Set(endpoint.types.flatMap((type) => LOG_TYPES[type]))];
  const { rows } = await tx.query<News>(
    `select id, xid::text as xid, type, person_id as "personId", ${ms('at')} as "atMs", properties from event
     where (xid, id) > ($1::text::xid8, $2::bigint) and (xid, id) <= ($3::text::xid8, $4::bigint)
       and type = any ($5) order by event.xid, event.id limit $6`,
    [endpoint.xid, endpoint.position, head.xid, head.id, types, EVENTS_AT_ONCE],
  );
  return rows;
}

async function putDeliveries(
  tx: Tx,
  endpointId: string,
  events: readonly News[],
  types: ReadonlySet<string>,
): Promise<void> {
  const news = events.flatMap((event) =>
    outwardMessages(event, types).map((message) => ({ event, message })),
  );
  if (news.length === 0) return;
  const people = news.map(({ message }) => message.personId).filter((id) => id !== null);
  const { rows } = await tx.query<{ id: number; externalId: string }>(
    'select id, external_id as "externalId" from person where id = any ($1)',
    [[...new Set(people)]],
  );
  const known = new Map(rows.map((row) => [row.id, row.externalId]));
  // Whoever was erased meanwhile is told of no more.
  const told = news.filter(({ message: { personId } }) => personId === null || known.has(personId));
  await tx.query(
    `insert into webhook_delivery (endpoint_id, webhook_id, type, person_id, body)
     select $1, w, t, p, b from unnest($2::text[], $3::text[], $4::bigint[], $5::text[]) as x (w, t, p, b)
     on conflict do nothing`,
    [
      endpointId,
      told.map(({ event, message }) => webhookId(endpointId, event.id, message)),
      told.map(({ message }) => message.type),
      told.map(({ message }) => message.personId),
      told.map(({ message }) => outwardBody(message, known.get(message.personId ?? 0) ?? null)),
    ],
  );
}

/** The same for the same news, whoever writes it down. */
function webhookId(endpointId: string, eventId: number, { type, n }: OutwardMessage): string {
  const hash = createHash('sha256').update(`${endpointId}\0${eventId}\0${type}\0${n}`);
  return `msg_${hash.digest('base64url').slice(0, 27)}`;
}

export interface DueDelivery {
  id: number;
  webhookId: string;
  body: string;
  attempts: number;
}

/**
 * Takes what is due for an endpoint, for `leaseSeconds`; a process that dies gives it back by that. One at a time while it
 * fails: it is only being asked whether it is back.
 */
export async function leaseDeliveries(
  db: Queryable,
  endpointId: string,
  { limit, leaseSeconds }: { limit: number; leaseSeconds: number },
): Promise<DueDelivery[]> {
  const { rows } = await db.query<DueDelivery>(
    `update webhook_delivery d set leased_until = clock_timestamp() + $3 * interval '1 second'
     from (select w.id from webhook_delivery w join webhook_endpoint e on e.id = w.endpoint_id
       where w.endpoint_id = $1 and w.next_at <= clock_timestamp()
         and (w.leased_until is null or w.leased_until < clock_timestamp())
         and e.disabled_at is null and e.removed_at is null
         and (e.paused_until is null or e.paused_until <= clock_timestamp())
       order by w.next_at, w.id
       limit (select case when failing_since is null then $2::int else 1 end from webhook_endpoint where id = $1)
       for update of w skip locked) due
     where d.id = due.id returning d.id, d.webhook_id as "webhookId", d.body, d.attempts`,
    [endpointId, limit, leaseSeconds],
  );
  return rows.sort((a, b) => a.id - b.id);
}

/** It was taken: the row goes, and the endpoint works. */
export async function settleDelivered(
  db: Queryable,
  endpointId: string,
  deliveryId: number,
): Promise<void> {
  await db.query(
    `with gone as (delete from webhook_delivery where id = $2 returning 1)
     update webhook_endpoint set delivered = delivered + (select count(*) from gone), failing_since = null where id = $1`,
    [endpointId, deliveryId],
  );
}

export interface DeliveryFailure {
  status: number | null;
  error: string;
  /** Null: no more attempts, a dead letter. */
  retryInSeconds: number | null;
  /** Nothing at all goes to the endpoint for so long. */
  pauseSeconds: number | null;
  /** Whoever fails for longer than this is disabled; null: at once, since it said that it is gone. */
  disableAfterSeconds: number | null;
}

/** It was not taken: tried again later, or a dead letter; an endpoint that fails for long is disabled. */
export async function settleFailed(
  db: Db,
  endpointId: string,
  deliveryId: number,
  failure: DeliveryFailure,
): Promise<void> {
  await transaction(db, async (tx) => {
    await tx.query(
      `update webhook_delivery set attempts = attempts + 1, last_status = $2, last_error = $3, leased_until = null,
         next_at = clock_timestamp() + $4::float8 * interval '1 second',
         dead_at = case when $4::float8 is null then clock_timestamp() end where id = $1`,
      [deliveryId, failure.status, failure.error, failure.retryInSeconds],
    );
    await tx.query(
      `update webhook_endpoint set failing_since = coalesce(failing_since, clock_timestamp()),
         paused_until = coalesce(clock_timestamp() + $2::float8 * interval '1 second', paused_until) where id = $1`,
      [endpointId, failure.pauseSeconds],
    );
    await disable(tx, endpointId, failure);
  });
}

async function disable(tx: Tx, endpointId: string, failure: DeliveryFailure): Promise<void> {
  const days = Math.round((failure.disableAfterSeconds ?? 0) / 86_400);
  const reason =
    failure.disableAfterSeconds === null
      ? 'it answered 410: it is gone'
      : `every attempt of ${days} days failed; the last one: ${failure.error}${failure.status === null ? '' : ` (${failure.status})`}`;
  const { rowCount } = await tx.query(
    `update webhook_endpoint set disabled_at = clock_timestamp(), disabled_reason = $3
     where id = $1 and disabled_at is null
       and failing_since <= clock_timestamp() - coalesce($2::float8, 0) * interval '1 second'`,
    [endpointId, failure.disableAfterSeconds, reason],
  );
  if (rowCount === 0) return;
  await writeAudit(
    tx,
    { actor: 'webhooks' },
    { action: 'webhook endpoint disabled', subject: subjectOf(endpointId), detail: { reason } },
  );
}

/** Seconds until something is due again, below 0 where it is; null where nothing waits. */
export async function nextDueSeconds(db: Queryable): Promise<number | null> {
  const { rows } = await db.query<{ seconds: number | null }>(
    `select extract(epoch from min(greatest(d.next_at, d.leased_until, e.paused_until)) - clock_timestamp())
       ::double precision as seconds
     from webhook_delivery d join webhook_endpoint e on e.id = d.endpoint_id
     where d.next_at is not null and e.disabled_at is null and e.removed_at is null`,
  );
  return rows[0]!.seconds;
}

export interface DeadLetter {
  id: number;
  endpointId: string;
  webhookId: string;
  type: string;
  attempts: number;
  lastStatus: number | null;
  lastError: string | null;
  deadAtMs: number;
}

export async function deadLetters(db: Queryable, limit = 100): Promise<DeadLetter[]> {
  const { rows } = await db.query<DeadLetter>(
    `select id, endpoint_id as "endpointId", webhook_id as "webhookId", type, attempts, last_status as "lastStatus",
       last_error as "lastError", ${ms('dead_at')} as "deadAtMs"
     from webhook_delivery where dead_at is not null order by dead_at, id limit $1`,
    [limit],
  );
  return rows;
}

/** Tries dead letters of an endpoint again, all of them or one by its webhook id. Returns how many. */
export async function replayDead(
  db: Db,
  endpointId: string,
  webhookIdOnly: string | null,
  actor: string,
): Promise<number> {
  return transaction(db, async (tx) => {
    const { rowCount } = await tx.query(
      `update webhook_delivery set dead_at = null, attempts = 0, next_at = clock_timestamp()
       where endpoint_id = $1 and dead_at is not null and ($2::text is null or webhook_id = $2)`,
      [endpointId, webhookIdOnly],
    );
    const count = rowCount ?? 0;
    if (count > 0) {
      await writeAudit(
        tx,
        { actor },
        { action: 'webhooks replayed', subject: subjectOf(endpointId), detail: { count } },
      );
    }
    return count;
  });
}
