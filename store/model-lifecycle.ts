import { KairosError } from '../domain/errors.ts';
import type { AuditContext } from './audit.ts';
import { writeAudit } from './audit.ts';
import type { StoredModel } from './models.ts';
import type { Db, Queryable } from './postgres.ts';
import { transaction } from './postgres.ts';

/** A model without its blob, as a list shows it. */
export interface ModelRow {
  readonly version: number;
  readonly name: string;
  readonly status: StoredModel['status'];
  readonly card: Readonly<Record<string, unknown>>;
  readonly createdAt: Date;
  readonly retiredAt: Date | null;
  /** The run that trained it, which waits for an approval while it is a candidate. */
  readonly workflowId: string | null;
}

const COLUMNS = `version, name, status, card, created_at as "createdAt", retired_at as "retiredAt",
  workflow_id as "workflowId"`;

/** The newest first; of one name, or of all. */
export async function listModels(db: Queryable, name: string | null = null): Promise<ModelRow[]> {
  const { rows } = await db.query<ModelRow>(
    `select ${COLUMNS} from model where $1::text is null or name = $1 order by version desc limit 200`,
    [name],
  );
  return rows;
}

/** Errors: MODEL_UNKNOWN. */
export async function modelRow(db: Queryable, version: number): Promise<ModelRow> {
  const { rows } = await db.query<ModelRow>(`select ${COLUMNS} from model where version = $1`, [
    version,
  ]);
  if (rows[0]) return rows[0];
  throw new KairosError('MODEL_UNKNOWN', `There is no model version ${version}.`);
}

/** The version that was in use before the current one: what a roll-back returns to. Errors: MODEL_UNKNOWN. */
export async function versionBefore(db: Queryable, name: string): Promise<number> {
  const { rows } = await db.query<{ version: number }>(
    `select version from model where name = $1 and status = 'retired' and retired_at is not null
     order by retired_at desc, version desc limit 1`,
    [name],
  );
  if (rows[0]) return rows[0].version;
  throw new KairosError(
    'MODEL_UNKNOWN',
    `No version of ${name} was in use before the current one, so there is nothing to roll back to.`,
  );
}

/**
 * Makes a version the one in use and retires the one before it, with its row in the audit trail, in one transaction.
 * Doing it again changes nothing. Errors: MODEL_UNKNOWN; MODEL_REFUSED for a version that lost to its baseline.
 */
export async function promoteModel(
  db: Db,
  version: number,
  audit: AuditContext,
  action: 'model promoted' | 'model rolled back',
): Promise<{ changed: boolean }> {
  return transaction(db, async (tx) => {
    const { rows } = await tx.query<{ name: string; status: StoredModel['status'] }>(
      'select name, status from model where version = $1',
      [version],
    );
    const row = rows[0];
    if (!row) throw new KairosError('MODEL_UNKNOWN', `There is no model version ${version}.`);
    if (row.status === 'refused') {
      throw new KairosError(
        'MODEL_REFUSED',
        `Version ${version} of ${row.name} lost to its baseline and cannot be promoted; train again.`,
      );
    }
    // Two promotions at once would both retire the same one.
    await tx.query('select pg_advisory_xact_lock(hashtext($1))', [`model ${row.name}`]);
    const { rows: before } = await tx.query<{ version: number }>(
      `update model set status = 'retired', retired_at = clock_timestamp()
       where name = $1 and status = 'current' and version <> $2 returning version`,
      [row.name, version],
    );
    const { rowCount } = await tx.query(
      `update model set status = 'current', retired_at = null where version = $1 and status <> 'current'`,
      [version],
    );
    if (rowCount === 0) return { changed: false };
    const detail = { version, before: before[0]?.version ?? null };
    await writeAudit(tx, audit, { action, subject: `model/${row.name}`, detail });
    return { changed: true };
  });
}

/** A candidate that was turned down, with the reason in the audit trail. */
export async function turnDownModel(
  db: Db,
  version: number,
  audit: AuditContext,
  reason: string,
): Promise<void> {
  await transaction(db, async (tx) => {
    const { rows } = await tx.query<{ name: string }>(
      `update model set status = 'retired' where version = $1 and status = 'candidate' returning name`,
      [version],
    );
    if (!rows[0]) return;
    const detail = { version, reason };
    await writeAudit(tx, audit, {
      action: 'model turned down',
      subject: `model/${rows[0].name}`,
      detail,
    });
  });
}

export async function saveDrift(
  db: Queryable,
  version: number,
  atMs: number,
  report: unknown,
): Promise<void> {
  await db.query(
    `insert into model_drift (version, at, report) values ($1, to_timestamp($2 / 1000.0), $3)
     on conflict (version, at) do update set report = excluded.report`,
    [version, atMs, JSON.stringify(report)],
  );
}

export async function lastDrift(
  db: Queryable,
  version: number,
): Promise<{ at: Date; report: Record<string, unknown> } | null> {
  const { rows } = await db.query<{ at: Date; report: Record<string, unknown> }>(
    'select at, report from model_drift where version = $1 order by at desc limit 1',
    [version],
  );
  return rows[0] ?? null;
}
