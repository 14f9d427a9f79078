import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { drainPending, Session } from 'chdb';
import { writeEngineConfig } from './engine-config.ts';
import type { InsertTarget } from './sql-guard.ts';

/** How a statement is run: names are checked by the caller, values may be anything. */
export interface StatementContext {
  database: string | undefined;
  settings: ReadonlyMap<string, string>;
  /** Values as ClickHouse's HTTP interface takes them: text in the TSV escaping, arrays as literals. */
  params: ReadonlyMap<string, string>;
}

/** An error of the engine with ClickHouse's number; its message is what a server would send. */
export class EngineError extends Error {
  readonly code: number;

  constructor(message: string) {
    super(message.replace(/^(?:Query failed: )?(?:Error: )?/, ''));
    this.code = Number(/Code: (\d+)/.exec(message)?.[1] ?? 1_001);
  }
}

export interface WrittenRows {
  rows: number;
  bytes: number;
}

const asEngineError = (error: unknown): EngineError =>
  new EngineError(error instanceof Error ? error.message : String(error));

/** Formats whose chunks, one behind the other, are the whole result; the others have a head or a tail. */
const STREAMED = new Set(['JSONEachRow', 'JSONCompactEachRow', 'TabSeparated', 'TSV', 'CSV']);
const INSERTED = new Map(
  Object.entries({
    JSONEachRow: 'JSONEachRow',
    JSONCompactEachRow: 'JSONCompactEachRow',
    TabSeparated: 'TabSeparated',
    TSV: 'TSV',
    CSV: 'CSV',
    CSVWithNames: 'CSVWithNames',
  } as const),
);

/**
 * chDB in this process. A session of its own for each statement (0.6 ms) keeps settings, parameters and the current
 * database of one apart from those of another, and lets several run at once on the addon's threads.
 */
export interface Engine {
  /** There as long as the engine has its folder; false once somebody deletes it, in part or as a whole. */
  isFolderThere(): boolean;
  /** The result in chunks; the first is there before this resolves, so that most errors come as errors. */
  query(
    statement: { sql: string; format: string; isSelect: boolean },
    context: StatementContext,
  ): Promise<AsyncIterable<Uint8Array>>;
  insert(target: InsertTarget, rows: Buffer, context: StatementContext): Promise<WrittenRows>;
  close(): Promise<void>;
}

/** @throws where another process has this folder open */
export function openEngine(directory: string): Engine {
  const { data, args } = writeEngineConfig(directory);
  const open = (): Session => new Session(data, { connectionArgs: args });
  // The engine lives as long as one session does.
  const keeper = open();
  // The folder `metadata` comes with the first database.
  let hadDatabase = false;

  return {
    isFolderThere() {
      const hasDatabase = existsSync(join(data, 'metadata'));
      const lost = hadDatabase && !hasDatabase;
      hadDatabase = hasDatabase;
      return existsSync(join(data, 'status')) && !lost;
    },
    async query({ sql, format, isSelect }, context) {
      const session = open();
      const prelude = preludeOf(context);
      try {
        if (!isSelect || !STREAMED.has(format)) {
          const result = await session.queryAsync([...prelude, sql].join('; '), { format });
          session.close();
          return oneOf(result.bytes());
        }
        if (prelude.length > 0) await session.queryAsync(prelude.join('; '));
        const chunks = session.queryStream(sql, { format })[Symbol.asyncIterator]();
        const first = await chunks.next();
        return streamOf(session, chunks, first);
      } catch (error) {
        session.close();
        throw asEngineError(error);
      }
    },
    async insert(target, rows, context) {
      const format = INSERTED.get(target.format);
      if (!format) {
        throw new EngineError(
          `Code: 73. DB::Exception: Rows in the format ${target.format} are not taken here; send JSONEachRow. (UNKNOWN_FORMAT)`,
        );
      }
      if (rows.length === 0) return { rows: 0, bytes: 0 };
      const session = open();
      try {
        const prelude = preludeOf({ ...context, database: undefined });
        if (prelude.length > 0) await session.queryAsync(prelude.join('; '));
        const table =
          target.table.includes('.') || !context.database
            ? target.table
            : `${context.database}.${target.table}`;
        const written = await session.insert({
          table,
          values: rows,
          format,
          ...(target.columns ? { columns: target.columns } : {}),
        });
        return { rows: written.rowsWritten, bytes: written.bytesWritten };
      } catch (error) {
        throw asEngineError(error);
      } finally {
        session.close();
      }
    },
    async close() {
      await drainPending();
      keeper.close();
      await drainPending();
    },
  };
}

// eslint-disable-next-line typescript/require-await -- an iterable like the streamed one
async function* oneOf(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}

async function* streamOf(
  session: Session,
  chunks: AsyncIterator<{ raw(): Uint8Array }>,
  first: IteratorResult<{ raw(): Uint8Array }>,
): AsyncGenerator<Uint8Array> {
  try {
    for (let step = first; !step.done; step = await chunks.next()) yield step.value.raw();
  } catch (error) {
    throw asEngineError(error);
  } finally {
    await chunks.return?.();
    session.close();
  }
}

/**
 * `USE` and `SET` before the statement. A parameter set as text is read in its declared type when it is used, exactly as
 * a parameter in a URL is; unlike chDB's own binding, this is safe for several sessions at once.
 */
function preludeOf(context: StatementContext): string[] {
  const set = [
    ...[...context.settings].map(([name, value]) => `${name} = ${quote(value)}`),
    ...[...context.params].map(([name, value]) => `param_${name} = ${quote(value)}`),
  ];
  return [
    ...(context.database ? [`USE ${context.database}`] : []),
    ...(set.length > 0 ? [`SET ${set.join(', ')}`] : []),
  ];
}

function quote(text: string): string {
  return `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'").replaceAll('\0', '\\0')}'`;
}
