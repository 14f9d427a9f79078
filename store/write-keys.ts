import { createHash, randomBytes } from 'node:crypto';
import { KairosError } from '../domain/errors.ts';
import { writeAudit } from './audit.ts';
import { type Db, type Queryable, transaction } from './postgres.ts';

export type WriteKeyKind = 'server' | 'browser';

/** A key that may write events, without the key itself. */
export interface WriteKey {
  id: string;
  name: string;
  kind: WriteKeyKind;
  ratePerSecond: number | null;
  createdAtMs: number;
  revokedAtMs: number | null;
}

export const hashWriteKey = (key: string): Buffer =>
  createHash('sha256').update(key, 'utf8').digest();

/** Makes a key. What is returned is shown once: the database has its hash only. */
export async function createWriteKey(
  db: Db,
  options: { name: string; kind: WriteKeyKind; ratePerSecond?: number | null },
  actor: string,
): Promise<{ id: string; key: string }> {
  const id = randomBytes(6).toString('hex');
  const key = `wk_${id}_${randomBytes(24).toString('base64url')}`;
  await transaction(db, async (tx) => {
    await tx.query(
      'insert into write_key (id, hash, name, kind, rate_per_second) values ($1, $2, $3, $4, $5)',
      [id, hashWriteKey(key), options.name, options.kind, options.ratePerSecond ?? null],
    );
    const { kind } = options;
    await writeAudit(
      tx,
      { actor },
      { action: 'write key created', subject: `write-key/${id}`, detail: { kind } },
    );
  });
  return { id, key };
}

/** From within five seconds on nothing is taken with it. */
export async function revokeWriteKey(db: Db, id: string, actor: string): Promise<void> {
  await transaction(db, async (tx) => {
    const { rowCount } = await tx.query(
      'update write_key set revoked_at = clock_timestamp() where id = $1 and revoked_at is null',
      [id],
    );
    if (rowCount === 0) {
      throw new KairosError(
        'STATE_CONFLICT',
        `There is no write key ${id} in force; \`kairos write-key list\` shows them.`,
      );
    }
    await writeAudit(tx, { actor }, { action: 'write key revoked', subject: `write-key/${id}` });
  });
}

export async function writeKeys(db: Queryable): Promise<(WriteKey & { hash: Buffer })[]> {
  const { rows } = await db.query<WriteKey & { hash: Buffer }>(
    `select id, hash, name, kind, rate_per_second as "ratePerSecond",
       (extract(epoch from created_at) * 1000)::double precision as "createdAtMs",
       (extract(epoch from revoked_at) * 1000)::double precision as "revokedAtMs"
     from write_key order by created_at, id`,
  );
  return rows;
}
