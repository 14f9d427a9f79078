import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { sealAudit, verifyAudit, writeAudit } from '../../store/audit.ts';
import { type Db, connectPostgres } from '../../store/postgres.ts';
import { createDatabase, type TestDatabase } from '../support/stack.ts';

let database: TestDatabase;
let db: Db;

beforeAll(async () => {
  database = await createDatabase();
  db = connectPostgres(database.url, 'audit test', 30);
});
afterAll(async () => {
  await db.end();
  await database.drop();
});
beforeEach(async () => {
  await tampered('truncate audit, audit_seal restart identity');
});

/** What someone with the database's password could do: the triggers are switched off. */
async function tampered(statement: string): Promise<void> {
  await db.query(
    'alter table audit disable trigger all; alter table audit_seal disable trigger all',
  );
  await db.query(statement);
  await db.query('alter table audit enable trigger all; alter table audit_seal enable trigger all');
}

const write = (n: number): Promise<void> =>
  writeAudit(db, { actor: 'test' }, { action: 'did', subject: `thing/${n}`, detail: { n } });

async function sealed(rows: number): Promise<void> {
  for (let n = 1; n <= rows; n += 1) await write(n);
  await sealAll(rows);
}

/** Other suites write into the same cluster: rows are sealed once every transaction that was running then is over. */
async function sealAll(rows: number): Promise<void> {
  let done = 0;
  await expect
    .poll(async () => (done += await sealAudit(db)), { timeout: 20_000, interval: 20 })
    .toBe(rows);
}

describe('the audit trail', () => {
  it('is append-only for the application', async () => {
    await write(1);
    await expect(db.query(`update audit set actor = 'someone else'`)).rejects.toThrow(
      /append-only/,
    );
    await expect(db.query('delete from audit')).rejects.toThrow(/append-only/);
    await expect(db.query('truncate audit cascade')).rejects.toThrow(/append-only/);
  });

  it('is whole after sealing, and names the unsealed tail', async () => {
    await sealed(5);
    await write(6);
    expect(await verifyAudit(db)).toMatchObject({ ok: true, sealed: 5, unsealed: 1 });
  });

  it.each([
    ['changed', `update audit set detail = '{"n": 0}' where id = 3`],
    ['removed', 'delete from audit where id = 3'],
    ['removed', 'delete from audit where id = 3; delete from audit_seal where audit_id = 3'],
    ['changed', `update audit set at = at + interval '1 second' where id = 3`],
  ])('finds a row that was %s (%s)', async (problem, statement) => {
    await sealed(5);
    await tampered(statement);
    const verdict = await verifyAudit(db);
    expect(verdict).toMatchObject({ ok: false, problem });
  });

  it('finds two rows whose seals were exchanged', async () => {
    await sealed(5);
    await tampered(
      'update audit_seal set audit_id = -2 where seq = 2; update audit_seal set audit_id = 2 where seq = 3; update audit_seal set audit_id = 3 where seq = 2',
    );
    expect(await verifyAudit(db)).toMatchObject({ ok: false });
  });

  it('finds a row that was slipped in behind the seal', async () => {
    await sealed(5);
    await tampered(
      `insert into audit (id, xid, actor, action, subject) overriding system value
       select 100, xid, 'nobody', 'did', 'thing/0' from audit where id = 1`,
    );
    expect(await verifyAudit(db)).toMatchObject({ ok: false });
  });

  it('seals in commit order while many write at once, and one of them slowly', async () => {
    const slow = await db.connect();
    await slow.query('begin');
    await writeAudit(slow, { actor: 'slow' }, { action: 'did', subject: 'thing/slow' });
    await Promise.all(Array.from({ length: 40 }, (_, n) => write(n)));
    // Nothing may be sealed before a row that can still appear behind it.
    const early = await sealAudit(db);
    expect(early).toBe(0);
    await slow.query('commit');
    slow.release();
    const [first, second] = await Promise.all([sealAudit(db), sealAudit(db), write(99)]);
    await sealAll(42 - first - second);
    expect(await verifyAudit(db)).toMatchObject({ ok: true, sealed: 42, unsealed: 0 });
  });
});
