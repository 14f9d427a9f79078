import { KairosError } from '../domain/errors.ts';
import type { CampaignRow } from './campaigns.ts';
import { type CopyValue, copyInto } from './copy.ts';
import { type Db, type Queryable, transaction } from './postgres.ts';

export interface SnapshotReceipt {
  audience: number;
  eligible: number;
  holdout: number;
  /** True where the snapshot had been taken before; nothing was changed then. */
  already: boolean;
}

/**
 * Freezes a campaign's audience: the members that the warehouse named, in one transaction, all or nothing. Consent,
 * suppression and addresses are judged here, in the truth; the holdout is drawn among those who could be mailed.
 * The order is random by unit, so that shards and a pilot are fair samples.
 */
export async function snapshotAudience(
  db: Db,
  campaignNo: number,
  members: AsyncIterable<readonly { personId: number; score: number | null }[]>,
  shares: { holdout: number; pilot: number },
): Promise<SnapshotReceipt> {
  return transaction(db, async (tx) => {
    const { rows } = await tx.query<{ id: string; salt: string; taken: boolean }>(
      `select definition ->> 'id' as id, salt, snapshot_at is not null as taken
       from campaign where no = $1 for update`,
      [campaignNo],
    );
    const campaign = rows[0];
    if (!campaign) throw new KairosError('CAMPAIGN_UNKNOWN', `No campaign number ${campaignNo}.`);
    if (!campaign.taken) {
      await tx.query(
        'create temporary table staging (person_id bigint, score real) on commit drop',
      );
      async function* lines(): AsyncGenerator<readonly CopyValue[]> {
        for await (const batch of members) {
          for (const member of batch) yield [member.personId, member.score];
        }
      }
      await copyInto(tx, 'staging (person_id, score)', lines());
      await tx.query(
        `insert into audience_member (campaign_no, seq, person_id, unit, eligible, holdout, duplicate, pilot, score)
         select $1, row_number() over (order by draw($2, $3 || ':order', unit_or_id), person_id), person_id, unit,
           can, can and held < $4, nth > 1, can and held >= $4 and ($5::float8 > 0 and draw($2, $3 || ':pilot', unit_or_id) < $5),
           score
         from (select *, draw($2, $3 || ':holdout', unit_or_id) as held from (
           select p.id as person_id, p.unit, coalesce(p.unit, p.id::text) as unit_or_id, s.score, x.nth,
             p.address is not null and x.nth = 1 and coalesce(k.granted, false) and b.unit is null as can
           from (select person_id, max(score) as score from staging group by 1) s join person p on p.id = s.person_id
           left join consent k on k.person_id = p.id and k.channel = 'email'
           left join suppression b on b.unit = p.unit
           join (select p2.id, case when p2.unit is null then 1
                   else row_number() over (partition by p2.unit order by p2.id) end as nth
                 from person p2 join staging s2 on s2.person_id = p2.id) x on x.id = p.id) x offset 0) y`,
        [campaignNo, campaign.salt, campaign.id, shares.holdout, shares.pilot],
      );
      await tx.query('update campaign set snapshot_at = shop_now() where no = $1', [campaignNo]);
    }
    const counts = await tx.query<{ audience: number; eligible: number; holdout: number }>(
      `select count(*) as audience, count(*) filter (where eligible) as eligible,
         count(*) filter (where holdout) as holdout from audience_member where campaign_no = $1`,
      [campaignNo],
    );
    return { ...counts.rows[0]!, already: campaign.taken };
  });
}

/** A member of the audience with what planning must know of them. */
export interface Member {
  seq: number;
  personId: number;
  unit: string | null;
  address: string | null;
  lane: number;
  timeZone: string | null;
  eligible: boolean;
  holdout: boolean;
  duplicate: boolean;
  pilot: boolean;
  score: number | null;
  consented: boolean;
  suppressed: boolean;
  /** The person is gone since the snapshot. */
  erased: boolean;
  /** The draw of the variant, uniform on [0, 1). */
  variantDraw: number;
  /** Marketing mails of other campaigns in the last day and week of shop time. */
  lastDay: number;
  lastWeek: number;
}

/** The next members of a shard after `afterSeq`, by sequence. */
export async function readMembers(
  db: Queryable,
  campaign: Pick<CampaignRow, 'no' | 'definition' | 'salt'>,
  range: { afterSeq: number; lastSeq: number; limit: number; withCaps: boolean },
): Promise<Member[]> {
  const caps = `left join lateral (
      select count(*) filter (where at > shop_now() - interval '1 day') as last_day, count(*) as last_week
      from (select coalesce(m.settled_at, shop_now()) as at from message m
            where m.person_id = a.person_id and m.campaign_no <> a.campaign_no and m.mode = 1
              and m.state in (1, 3, 10, 14)) t
      where at > shop_now() - interval '7 days') c on true`;
  const { rows } = await db.query<Member>(
    `select a.seq, a.person_id as "personId", p.unit, p.address, coalesce(p.lane, 4) as lane,
       p.time_zone as "timeZone", a.eligible, a.holdout, a.duplicate, a.pilot, a.score,
       coalesce(k.granted, false) as consented, b.unit is not null as suppressed, p.id is null as erased,
       draw($5, $6 || ':variant', coalesce(a.unit, a.person_id::text)) as "variantDraw",
       ${range.withCaps ? 'c.last_day as "lastDay", c.last_week as "lastWeek"' : '0 as "lastDay", 0 as "lastWeek"'}
     from audience_member a
     left join person p on p.id = a.person_id
     left join consent k on k.person_id = a.person_id and k.channel = 'email'
     left join suppression b on b.unit = p.unit
     ${range.withCaps ? caps : ''}
     where a.campaign_no = $1 and a.seq > $2 and a.seq <= $3 order by a.seq limit $4`,
    [
      campaign.no,
      range.afterSeq,
      range.lastSeq,
      range.limit,
      campaign.salt,
      // Not the run's own id: a rehearsal draws what its live run draws.
      campaign.definition.id,
    ],
  );
  return rows;
}

/** The member's row of one person, for `explain`. */
export async function memberOf(
  db: Queryable,
  campaignNo: number,
  personId: number,
): Promise<{
  seq: number;
  eligible: boolean;
  holdout: boolean;
  duplicate: boolean;
  score: number | null;
} | null> {
  const { rows } = await db.query<{
    seq: number;
    eligible: boolean;
    holdout: boolean;
    duplicate: boolean;
    score: number | null;
  }>(
    `select seq, eligible, holdout, duplicate, score from audience_member
     where campaign_no = $1 and person_id = $2`,
    [campaignNo, personId],
  );
  return rows[0] ?? null;
}

/** What planning would know of one person now, outside of any snapshot: for a preview. */
export async function snapshotFacts(
  db: Queryable,
  personId: number,
  campaignId: string,
): Promise<Omit<Member, 'seq' | 'personId' | 'holdout' | 'pilot' | 'score' | 'lane' | 'unit'>> {
  const { rows } = await db.query<Member>(
    `select p.address, p.time_zone as "timeZone", p.address is not null as eligible, false as duplicate,
       coalesce(k.granted, false) as consented, b.unit is not null as suppressed, false as erased,
       draw('preview', $2, coalesce(p.unit, p.id::text)) as "variantDraw",
       (select count(*) from message m where m.person_id = p.id and m.mode = 1 and m.state in (1, 3, 10, 14)
          and coalesce(m.settled_at, shop_now()) > shop_now() - interval '1 day') as "lastDay",
       (select count(*) from message m where m.person_id = p.id and m.mode = 1 and m.state in (1, 3, 10, 14)
          and coalesce(m.settled_at, shop_now()) > shop_now() - interval '7 days') as "lastWeek"
     from person p left join consent k on k.person_id = p.id and k.channel = 'email'
     left join suppression b on b.unit = p.unit where p.id = $1`,
    [personId, campaignId],
  );
  return rows[0]!;
}
