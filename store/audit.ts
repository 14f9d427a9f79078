import { LOCKS } from './locks.ts';
import { createHash } from 'node:crypto';
import { type Db, type Queryable, transaction } from './postgres.ts';

/** Who did it on behalf of what; workflow code never sees this, the activity's context gives it. */
export interface AuditContext {
  actor: string;
  workflowId?: string;
  runId?: string;
  activity?: string;
  attempt?: number;
}

/** Writes one row of the trail. Call it in the effect's own transaction, so that neither exists without the other. */
export async function writeAudit(
  db: Queryable,
  context: AuditContext,
  entry: { action: string; subject: string; detail?: Record<string, unknown> },
): Promise<void> {
  await db.query(
    `insert into audit (actor, action, subject, workflow_id, run_id, activity, attempt, detail)
     values ($1, $2, $3, $4, $5, $6, $7, $8)`,
    [
      context.actor,
      entry.action,
      entry.subject,
      context.workflowId ?? null,
      context.runId ?? null,
      context.activity ?? null,
      context.attempt ?? null,
      JSON.stringify(entry.detail ?? {}),
    ],
  );
}

interface AuditRow {
  id: number;
  xid: string;
  line: string;
}

/** What the hash covers: every column, in a fixed text form that PostgreSQL makes (jsonb keeps a canonical order). */
const LINE = `jsonb_build_array(a.id, a.xid::text, to_char(a.at at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS.US'), a.actor,
  a.action, a.subject, a.workflow_id, a.run_id, a.activity, a.attempt, a.detail)::text`;

const GENESIS = Buffer.alloc(32);

function chain(previous: Buffer, line: string): Buffer {
  return createHash('sha256').update(previous).update(line, 'utf8').digest();
}

/**
 * Chains committed rows by hash in commit order. One sealer at a time, once a second: a chain inside each transaction
 * would be a global lock. Returns how many rows were sealed.
 */
export async function sealAudit(db: Db, limit = 5_000): Promise<number> {
  return transaction(db, async (tx) => {
    const lock = await tx.query<{ got: boolean }>('select pg_try_advisory_xact_lock($1) as got', [
      LOCKS.sealer,
    ]);
    if (!lock.rows[0]!.got) return 0;
    const last = await tx.query<{ seq: number; audit_id: number; xid: string; hash: Buffer }>(
      'select seq, audit_id, xid::text as xid, hash from audit_seal order by seq desc limit 1',
    );
    const from = last.rows[0] ?? { seq: 0, audit_id: 0, xid: '0', hash: GENESIS };
    const { rows } = await tx.query<AuditRow>(
      `select a.id, a.xid::text as xid, ${LINE} as line from audit a
       where (a.xid, a.id) > ($1::text::xid8, $2::bigint) and a.xid < pg_snapshot_xmin(pg_current_snapshot())
       order by a.xid, a.id limit $3`,
      [from.xid, from.audit_id, limit],
    );
    if (rows.length === 0) return 0;
    let hash = from.hash;
    const hashes = rows.map((row) => (hash = chain(hash, row.line)));
    await tx.query(
      `insert into audit_seal (seq, audit_id, xid, hash)
       select s, i, x::xid8, h from unnest($1::bigint[], $2::bigint[], $3::text[], $4::bytea[]) as t (s, i, x, h)`,
      [
        rows.map((_, index) => from.seq + 1 + index),
        rows.map((row) => row.id),
        rows.map((row) => row.xid),
        hashes,
      ],
    );
    return rows.length;
  });
}

export type AuditVerdict =
  | { ok: true; sealed: number; unsealed: number; head: string }
  | {
      ok: false;
      sealed: number;
      seq: number;
      auditId: number;
      problem: 'changed' | 'removed' | 'reordered';
    };

const PAGE = 5_000;

/** Walks the whole chain again and names the first row that was changed, removed or put in another order. */
export async function verifyAudit(
  db: Db,
  onProgress: (checked: number) => void = () => {},
): Promise<AuditVerdict> {
  let hash: Buffer = GENESIS;
  let seq = 0;
  let position = { xid: '0', id: 0 };
  for (;;) {
    const { rows } = await db.query<{
      seq: number;
      audit_id: number;
      hash: Buffer;
      line: string | null;
      xid: string;
    }>(
      `select s.seq, s.audit_id, s.hash, s.xid::text as xid, case when a.id is null then null else ${LINE} end as line
       from audit_seal s left join audit a on a.id = s.audit_id where s.seq > $1 order by s.seq limit $2`,
      [seq, PAGE],
    );
    if (rows.length === 0) break;
    for (const row of rows) {
      const broken = (problem: 'changed' | 'removed' | 'reordered'): AuditVerdict => ({
        ok: false,
        sealed: seq,
        seq: row.seq,
        auditId: row.audit_id,
        problem,
      });
      if (row.seq !== seq + 1 || row.line === null) return broken('removed');
      const later =
        BigInt(row.xid) > BigInt(position.xid) ||
        (row.xid === position.xid && row.audit_id > position.id);
      if (!later) return broken('reordered');
      hash = chain(hash, row.line);
      if (!hash.equals(row.hash)) return broken('changed');
      seq = row.seq;
      position = { xid: row.xid, id: row.audit_id };
    }
    onProgress(seq);
  }
  // A row of the sealed range without a seal was put in, or lost its seal, afterwards.
  const stray = await db.query<{ id: number }>(
    `select a.id from audit a left join audit_seal s on s.audit_id = a.id
     where s.seq is null and (a.xid, a.id) <= ($1::text::xid8, $2::bigint) order by a.id limit 1`,
    [position.xid, position.id],
  );
  if (stray.rows[0]) {
    return {
      ok: false,
      sealed: seq,
      seq: seq + 1,
      auditId: stray.rows[0].id,
      problem: 'reordered',
    };
  }
  const tail = await db.query<{ n: number }>(
    'select count(*) as n from audit a where (a.xid, a.id) > ($1::text::xid8, $2::bigint)',
    [position.xid, position.id],
  );
  return { ok: true, sealed: seq, unsealed: tail.rows[0]!.n, head: hash.toString('hex') };
}
