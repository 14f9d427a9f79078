import { logBacklog } from './events.ts';
import type { Queryable } from './postgres.ts';

/** Messages of the campaigns that are not closed, by state: finished ones would only cost time. */
export async function messagesByState(
  db: Queryable,
): Promise<{ campaign: string; state: number; count: number }[]> {
  const { rows } = await db.query<{ campaign: string; state: number; count: number }>(
    `select c.id as campaign, m.state, count(*) as count
     from campaign c join message m on m.campaign_no = c.no where c.closed_at is null
     group by c.id, m.state order by c.id, m.state`,
  );
  return rows;
}

/** How far the warehouse is behind the log; counted up to 10,000 rows. */
export async function projectorLag(db: Queryable): Promise<{ behind: number; projected: number }> {
  const { rows } = await db.query<{ xid: string; id: number; projected: number }>(
    'select xid::text as xid, id, projected from projector',
  );
  const at = rows[0] ?? { xid: '0', id: 0, projected: 0 };
  return { behind: await logBacklog(db, at), projected: at.projected };
}
