import pg from 'pg';

/** A connection or a pool of them: what every function of `store` takes first. */
export interface Queryable {
  query<Row extends pg.QueryResultRow>(
    text: string,
    values?: readonly unknown[],
  ): Promise<pg.QueryResult<Row>>;
}

export type Db = pg.Pool;
export type Tx = pg.PoolClient;

const INT8 = 20;
const NUMERIC = 1700;
const INT8_ARRAY = 1016;

/** Ids and counts stay below 2^53, so int8 arrives as a number; numeric (money) arrives as a number of two decimals. */
function typeParser(oid: number, format?: 'text' | 'binary'): (value: string) => unknown {
  if (oid === INT8 || oid === NUMERIC) return Number;
  if (oid === INT8_ARRAY) {
    return (value) => (value === '{}' ? [] : value.slice(1, -1).split(',').map(Number));
  }
  return pg.types.getTypeParser(oid, format as 'text') as (value: string) => unknown;
}

/** Opens a pool. `name` shows in `pg_stat_activity`. A lost connection is replaced at the next query. */
export function connectPostgres(url: string, name: string, max = 10): Db {
  const pool = new pg.Pool({
    connectionString: url,
    max,
    application_name: `kairos ${name}`,
    types: { getTypeParser: typeParser as typeof pg.types.getTypeParser },
    connectionTimeoutMillis: 10_000,
    keepAlive: true,
  });
  // An idle connection that dies (the server was restarted) must not end the process.
  pool.on('error', () => {});
  return pool;
}

/** Runs `work` in one transaction; rolls back when it throws. */
export async function transaction<T>(db: Db, work: (tx: Tx) => Promise<T>): Promise<T> {
  const client = await db.connect();
  // A connection that dies while checked out emits its own error; the query's rejection tells the caller.
  const ignore = (): void => {};
  client.on('error', ignore);
  let broken: Error | undefined;
  try {
    await client.query('begin');
    const result = await work(client);
    await client.query('commit');
    return result;
  } catch (error) {
    await client.query('rollback').catch((failure: Error) => {
      broken = failure;
    });
    throw error;
  } finally {
    client.off('error', ignore);
    client.release(broken);
  }
}

/** True for failures that a moment later may not happen again: the server is restarting, a deadlock was broken. */
export function isTransient(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const code = (error as { code?: string }).code ?? '';
  return (
    /^(08|57P|53|40)/.test(code) ||
    /^(ECONNREFUSED|ECONNRESET|EPIPE|ETIMEDOUT|ENOTFOUND|EAI_AGAIN)$/.test(code) ||
    /Connection terminated|connection timeout|timeout exceeded when trying to connect|not queryable/i.test(
      error.message,
    )
  );
}
