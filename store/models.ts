import { KairosError } from '../domain/errors.ts';
import type { Db, Queryable } from './postgres.ts';
import { transaction } from './postgres.ts';

/** A trained model as the registry keeps it; `blob` is the estimator's JSON. */
export interface StoredModel<Card = Record<string, unknown>> {
  version: number;
  name: string;
  status: 'candidate' | 'current' | 'retired' | 'refused';
  card: Card;
  blob: unknown;
  createdAt: Date;
}

/** Stores a trained model; `current` retires the one before it in the same transaction. */
export async function saveModel(
  db: Db,
  model: {
    name: string;
    status: 'candidate' | 'current' | 'refused';
    card: unknown;
    blob: unknown;
    /** The run that trained it. */
    workflowId?: string | null;
  },
): Promise<number> {
  return transaction(db, async (tx) => {
    if (model.status === 'current') {
      await tx.query(
        `update model set status = 'retired', retired_at = clock_timestamp()
         where name = $1 and status = 'current'`,
        [model.name],
      );
    }
    const { rows } = await tx.query<{ version: number }>(
      'insert into model (name, status, card, blob, workflow_id) values ($1, $2, $3, $4, $5) returning version',
      [
        model.name,
        model.status,
        JSON.stringify(model.card),
        Buffer.from(JSON.stringify(model.blob)),
        model.workflowId ?? null,
      ],
    );
    return rows[0]!.version;
  });
}

interface Raw {
  version: number;
  name: string;
  status: StoredModel['status'];
  card: Record<string, unknown>;
  blob: Buffer;
  createdAt: Date;
}
const COLUMNS = 'version, name, status, card, blob, created_at as "createdAt"';

export async function currentModel(db: Queryable, name: string): Promise<StoredModel | null> {
  const { rows } = await db.query<Raw>(
    `select ${COLUMNS} from model where name = $1 and status = 'current'`,
    [name],
  );
  return rows[0] ? decode(rows[0]) : null;
}

export async function modelVersion(db: Queryable, version: number): Promise<StoredModel> {
  const { rows } = await db.query<Raw>(`select ${COLUMNS} from model where version = $1`, [
    version,
  ]);
  if (!rows[0]) throw new KairosError('MODEL_UNKNOWN', `There is no model version ${version}.`);
  return decode(rows[0]);
}

function decode(row: Raw): StoredModel {
  return { ...row, blob: JSON.parse(row.blob.toString('utf8')) as unknown };
}

export interface ScoreRow {
  personId: number;
  value: number;
  features: readonly number[];
  cluster?: string | null;
}

/** Replaces the scores of these people by one model; older ones of others stay with their version. */
export async function saveScores(
  db: Queryable,
  input: { model: string; version: number; atMs: number },
  rows: readonly ScoreRow[],
): Promise<void> {
  if (rows.length === 0) return;
  await db.query(
    `insert into score (model, person_id, version, value, features, cluster, at)
     select $1, p, $2, v, array(select jsonb_array_elements_text(f::jsonb)::real), c, to_timestamp($3 / 1000.0)
     from unnest($4::bigint[], $5::real[], $6::text[], $7::text[]) as x (p, v, f, c)
     on conflict (model, person_id) do update set version = excluded.version, value = excluded.value,
       features = excluded.features, cluster = excluded.cluster, at = excluded.at`,
    [
      input.model,
      input.version,
      input.atMs,
      rows.map((row) => row.personId),
      rows.map((row) => row.value),
      // NaN is a missing feature; JSON has no NaN, PostgreSQL's real has.
      rows.map((row) => JSON.stringify(row.features.map((f) => (Number.isFinite(f) ? f : 'NaN')))),
      rows.map((row) => row.cluster ?? null),
    ],
  );
}

export async function scoreOf(
  db: Queryable,
  model: string,
  personId: number,
): Promise<{
  version: number;
  value: number;
  features: number[];
  cluster: string | null;
  at: Date;
} | null> {
  const { rows } = await db.query<{
    version: number;
    value: number;
    features: number[];
    cluster: string | null;
    at: Date;
  }>(
    'select version, value, features, cluster, at from score where model = $1 and person_id = $2',
    [model, personId],
  );
  return rows[0] ?? null;
}
