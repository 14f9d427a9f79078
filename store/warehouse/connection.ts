import { ClickHouseError, type ClickHouseClient, createClient } from '@clickhouse/client';
import { KairosError } from '../../domain/errors.ts';

export type QueryParams = Readonly<Record<string, unknown>>;

export interface ConnectionOptions {
  /** `http://127.0.0.1:8124`, or of a ClickHouse cluster. */
  url: string;
  key: string;
  /** `default` for the embedded one and by default. */
  username?: string;
  database: string;
}

/** The official client, with parameters only, and errors that say whether trying again can help. */
export interface Connection {
  command: (sql: string, params?: QueryParams) => Promise<void>;
  /** With a token the same rows are inserted once, however often this is called. */
  insert: (
    table: string,
    columns: readonly string[],
    rows: unknown[][],
    token?: string,
  ) => Promise<void>;
  query: <T>(sql: string, params?: QueryParams) => Promise<T[]>;
  stream: <T>(sql: string, params?: QueryParams) => AsyncIterable<T[]>;
  ping: () => Promise<boolean>;
  close: () => Promise<void>;
}

const REQUEST_TIMEOUT_MS = 300_000;

export function connect(options: ConnectionOptions): Connection {
  const { url } = options;
  const client = clientOf(options);
  return {
    command: (query, params = {}) =>
      guard(url, async () => {
        await client.command({ query, query_params: { ...params } });
      }),
    insert: (table, columns, values, token) =>
      guard(url, async () => {
        if (values.length === 0) return;
        await client.insert({
          table,
          values,
          format: 'JSONCompactEachRow',
          columns: [...columns] as [string, ...string[]],
          ...(token === undefined
            ? {}
            : { clickhouse_settings: { insert_deduplication_token: token, ...ONE_BLOCK } }),
        });
      }),
    query: <T>(query: string, params: QueryParams = {}) =>
      guard(url, async () => {
        const result = await client.query({
          query,
          query_params: { ...params },
          format: 'JSONEachRow',
        });
        return result.json<T>();
      }),
    async *stream<T>(query: string, params: QueryParams = {}) {
      const result = await guard(url, () =>
        client.query({ query, query_params: { ...params }, format: 'JSONEachRow' }),
      );
      try {
        for await (const rows of result.stream()) yield rows.map((row) => row.json<T>());
      } catch (error) {
        throw asKnown(url, error);
      } finally {
        result.close();
      }
    },
    ping: async () => (await client.ping()).success,
    close: () => client.close(),
  };
}

/** One insert is one block, thus one part and one token: all of a batch or nothing of it. */
const ONE_BLOCK = {
  async_insert: 0,
  max_insert_block_size: '10000000',
  input_format_parallel_parsing: 0,
} as const;

function clientOf(options: ConnectionOptions): ClickHouseClient {
  // Packing costs more than loopback does.
  const remote = !['127.0.0.1', 'localhost', '[::1]'].includes(new URL(options.url).hostname);
  return createClient({
    url: options.url,
    username: options.username ?? 'default',
    password: options.key,
    database: options.database,
    application: 'kairos',
    request_timeout: REQUEST_TIMEOUT_MS,
    compression: { request: remote, response: remote },
    // A list of ids is too long for a URL.
    use_multipart_params_auto: true,
    clickhouse_settings: { output_format_json_quote_64bit_integers: 0 },
    log: { level: 127 },
  });
}

async function guard<T>(url: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw asKnown(url, error);
  }
}

/** The engine's own numbers for "not now": too many queries at once, out of memory, shutting down. */
const TRANSIENT = new Set(['202', '236', '241', '159', '209', '210', '279']);

function asKnown(url: string, error: unknown): Error {
  if (error instanceof KairosError) return error;
  // UNKNOWN_DATABASE: its folder was deleted, and the process began anew.
  if (error instanceof ClickHouseError && error.code === '81') {
    return new KairosError(
      'WAREHOUSE_DOWN',
      `The warehouse at ${new URL(url).origin} is empty: run "kairos rebuild-warehouse" to make it again from the log.`,
    );
  }
  if (error instanceof ClickHouseError && !TRANSIENT.has(error.code)) return error;
  const { code, message } = error as Error & { code?: string };
  if (
    error instanceof ClickHouseError ||
    code !== undefined ||
    /timeout|hang up|abort/i.test(message)
  ) {
    return new KairosError(
      'WAREHOUSE_DOWN',
      `The warehouse at ${new URL(url).origin} does not answer (${code ?? message}): see whether its process runs; the work is tried again.`,
      { cause: code ?? message },
    );
  }
  return error instanceof Error ? error : new Error(message);
}
