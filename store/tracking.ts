import { EVENT } from '../domain/records.ts';
import { writeAudit } from './audit.ts';
import { appendEvents } from './events.ts';
import { tellPeople } from './people.ts';
import { type Db, type Queryable, type Tx, transaction } from './postgres.ts';

/** What a tracked link needs of its campaign; frozen at the launch, so it may be cached. */
export interface CampaignLinks {
  no: number;
  id: string;
  /** Name of the sender, for the unsubscribe page. */
  senderName: string;
  /** Ids of the variants; a message row holds an index into them. */
  variants: readonly string[];
  /** Frozen link table by variant id. */
  links: Readonly<Record<string, readonly string[]>>;
}

/** The campaign's link tables, or null where the campaign is gone. */
export async function campaignLinks(db: Queryable, no: number): Promise<CampaignLinks | null> {
  const { rows } = await db.query<CampaignLinks>(
    `select no, id, definition #>> '{from,name}' as "senderName", links,
       array(select v ->> 'id' from jsonb_array_elements(definition -> 'variants') with ordinality as t (v, n) order by n)
         as variants
     from campaign where no = $1`,
    [no],
  );
  return rows[0] ?? null;
}

/** The index of the variant that this person was planned, or null where the row is gone. */
export async function messageVariant(
  db: Queryable,
  message: { campaignNo: number; step: number; personId: number },
): Promise<number | null> {
  const { rows } = await db.query<{ variant: number }>(
    'select variant from message where campaign_no = $1 and step = $2 and person_id = $3',
    [message.campaignNo, message.step, message.personId],
  );
  return rows[0]?.variant ?? null;
}

/** Where a product is shown in the shop, or null where it is not known or has no page. */
export async function productUrl(db: Queryable, sku: string): Promise<string | null> {
  const { rows } = await db.query<{ url: string | null }>(
    'select url from product where sku = $1',
    [sku],
  );
  return rows[0]?.url ?? null;
}

export interface MessageFacts {
  campaign: string | null;
  variant: string | null;
  /** Shop time at which the mail was accepted; now while it is under way, null where nobody knows. */
  deliveredAtMs: number | null;
  /** False once the person was erased: nothing may be recorded of them any more. */
  known: boolean;
}

/** What the log should say of these messages, in the order in which they are given; one round trip. */
export async function messageFacts(
  db: Queryable,
  messages: readonly { campaignNo: number; step: number; personId: number }[],
): Promise<MessageFacts[]> {
  const { rows } = await db.query<MessageFacts & { n: number }>(
    `select x.n, c.id as campaign, c.definition #>> array['variants', m.variant::text, 'id'] as variant,
       (extract(epoch from case when m.state in (10, 12) then m.settled_at when m.state = 3 then shop_now() end)
         * 1000)::double precision as "deliveredAtMs", p.id is not null as known
     from unnest($1::int[], $2::smallint[], $3::bigint[]) with ordinality as x (campaign_no, step, person_id, n)
     left join message m on m.campaign_no = x.campaign_no and m.step = x.step and m.person_id = x.person_id
     left join campaign c on c.no = x.campaign_no
     left join person p on p.id = x.person_id
     order by x.n`,
    [
      messages.map((message) => message.campaignNo),
      messages.map((message) => message.step),
      messages.map((message) => message.personId),
    ],
  );
  return rows;
}

export interface UnsubscribeReceipt {
  /** Something changed: false for the second time, and where nothing is left that could be mailed to. */
  changed: boolean;
}

/**
 * Stop means stop: the mailbox is suppressed, the person's consent withdrawn, and both stand in the log and in the
 * trail, in one transaction. Repeating it changes nothing. Works with what is left when the person, the message or the
 * campaign is gone: the mailbox is known from whichever row still names it.
 */
export async function unsubscribe(
  db: Db,
  message: { campaignNo: number; step: number; personId: number },
): Promise<UnsubscribeReceipt> {
  return transaction(db, async (tx) => {
    const { rows } = await tx.query<{ campaign: string | null; known: boolean; units: string[] }>(
      `select (select id from campaign where no = $1) as campaign,
         exists (select from person where id = $3) as known,
         array(select distinct unit from (
           select unit from message where campaign_no = $1 and step = $2 and person_id = $3
           union all select unit from audience_member where campaign_no = $1 and person_id = $3
           union all select unit from person where id = $3) u where unit is not null order by unit) as units`,
      [message.campaignNo, message.step, message.personId],
    );
    const { campaign, known, units } = rows[0]!;
    const source = `unsubscribe/${message.campaignNo}`;
    const suppressed = await tx.query(
      `insert into suppression (unit, reason, at, source)
       select u, 'unsubscribe', shop_now(), $2 from unnest($1::text[]) as t (u) on conflict do nothing`,
      [units, source],
    );
    const revoked = known ? await revokeConsent(tx, message.personId, source) : false;
    const changed = (suppressed.rowCount ?? 0) > 0 || revoked;
    if (!changed) return { changed };
    if (known) await tellOfUnsubscribe(tx, message, campaign);
    await writeAudit(
      tx,
      { actor: 'recipient' },
      {
        action: 'unsubscribed',
        subject: `person/${message.personId}`,
        detail: { campaign, step: message.step, mailboxes: suppressed.rowCount ?? 0 },
      },
    );
    return { changed };
  });
}

async function revokeConsent(tx: Tx, personId: number, source: string): Promise<boolean> {
  const { rowCount } = await tx.query(
    `insert into consent (person_id, granted, at, source) values ($1, false, shop_now(), $2)
     on conflict (person_id, channel) do update set granted = false, at = excluded.at, source = excluded.source
     where consent.granted`,
    [personId, source],
  );
  return (rowCount ?? 0) > 0;
}

async function tellOfUnsubscribe(
  tx: Tx,
  message: { campaignNo: number; step: number; personId: number },
  campaign: string | null,
): Promise<void> {
  const { rows } = await tx.query<{ ms: number }>(
    'select floor(extract(epoch from shop_now()) * 1000)::bigint as ms',
  );
  await appendEvents(tx, [
    {
      messageId: `unsubscribed:${message.campaignNo}:${message.step}:${message.personId}`,
      type: EVENT.unsubscribed,
      personId: message.personId,
      atMs: rows[0]!.ms,
      properties: { campaign, step: message.step },
    },
  ]);
  await tellPeople(tx, [message.personId]);
}
