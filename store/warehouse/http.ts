import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createGzip } from 'node:zlib';
import { type Engine, EngineError } from './engine.ts';
import { checkKey, checkOrigin, digest, HttpRefusal, readStatement } from './http-request.ts';
import { checkStatement, readInsert, StatementRefused } from './sql-guard.ts';

/**
 * ClickHouse's HTTP interface over the embedded engine, as far as the official client uses it: parameters, settings,
 * inserts with their rows in the body, gzip both ways, typed errors, and errors in the middle of a stream.
 *
 * @param key what a caller must show; `/ping` alone answers without it
 */
export function createWarehouseServer(engine: Engine, key: string): Server {
  const expected = digest(key);
  return createServer((request, response) => {
    handle(engine, expected, request, response).catch((error: unknown) => {
      answerError(response, error);
    });
  });
}

async function handle(
  engine: Engine,
  expected: Buffer,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  checkOrigin(request);
  const url = new URL(request.url ?? '/', 'http://localhost');
  if (request.method === 'GET' && url.pathname === '/ping') {
    response.end('Ok.\n');
    return;
  }
  checkKey(request, expected);
  if (url.pathname !== '/') throw new HttpRefusal(404, 'There is nothing at this path.');
  if (request.method !== 'GET' && request.method !== 'POST') {
    throw new HttpRefusal(405, 'Only GET and POST are answered.');
  }
  const statement = await readStatement(request, url.searchParams);
  const insert = readInsert(statement.text);
  if (insert) {
    const rows = statement.body ?? Buffer.from(statement.text.slice(insert.dataFrom).trimStart());
    const written = await engine.insert(insert, rows, statement);
    answerInsert(response, written, url.searchParams);
    return;
  }
  if (statement.body && statement.body.length > 0) {
    throw new HttpRefusal(400, 'Rows in the body need a statement INSERT INTO … FORMAT … .');
  }
  const checked = checkStatement(statement.text);
  const format = checked.format ?? url.searchParams.get('default_format') ?? 'TabSeparated';
  const chunks = await engine.query({ ...checked, format }, statement);
  await answerQuery(request, response, url.searchParams, format, chunks);
}

function answerInsert(
  response: ServerResponse,
  written: { rows: number; bytes: number },
  search: URLSearchParams,
): void {
  const [rows, bytes] = [String(written.rows), String(written.bytes)];
  response.writeHead(200, {
    'content-type': 'text/plain; charset=UTF-8',
    'x-clickhouse-query-id': search.get('query_id') ?? '',
    'x-clickhouse-summary': JSON.stringify({
      read_rows: rows,
      read_bytes: bytes,
      written_rows: rows,
      written_bytes: bytes,
      total_rows_to_read: '0',
      result_rows: rows,
      result_bytes: bytes,
    }),
  });
  response.end();
}

async function answerQuery(
  request: IncomingMessage,
  response: ServerResponse,
  search: URLSearchParams,
  format: string,
  chunks: AsyncIterable<Uint8Array>,
): Promise<void> {
  const tag = randomBytes(8).toString('hex');
  const packed =
    search.get('enable_http_compression') === '1' &&
    /\bgzip\b/.test(request.headers['accept-encoding']?.toString() ?? '');
  const type = format.startsWith('JSON') ? 'application/json' : 'text/plain';
  response.writeHead(200, {
    'content-type': `${type}; charset=UTF-8`,
    'x-clickhouse-format': format,
    'x-clickhouse-query-id': search.get('query_id') ?? '',
    'x-clickhouse-exception-tag': tag,
    ...(packed ? { 'content-encoding': 'gzip' } : {}),
  });
  const out = packed ? createGzip({ level: 1 }) : response;
  if (packed) out.pipe(response);
  try {
    // Once begun, the loop also ends the statement when nobody listens any more.
    for await (const chunk of chunks) {
      if (response.destroyed) return;
      if (!out.write(chunk)) await Promise.race([once(out, 'drain'), once(response, 'close')]);
    }
  } catch (error) {
    out.write(exceptionBlock(describe(error).text, tag));
  }
  out.end();
}

/** How a server of 25.11 and later tells of an error behind rows that it has sent already. */
function exceptionBlock(message: string, tag: string): string {
  const text = `${message}\n`;
  return `\r\n__exception__\r\n${tag}\r\n${text}${Buffer.byteLength(text)} ${tag}\r\n__exception__\r\n`;
}

/** The status that a real server gives to the commonest errors; 500 to all others. */
const STATUS_OF_CODE = new Map([
  ...[36, 47, 62, 73, 117, 456, 457].map((code) => [code, 400] as const),
  ...[60, 81].map((code) => [code, 404] as const),
  ...[497, 516].map((code) => [code, 403] as const),
]);

function describe(error: unknown): { status: number; code: number; text: string } {
  if (error instanceof EngineError) {
    return { status: STATUS_OF_CODE.get(error.code) ?? 500, code: error.code, text: error.message };
  }
  if (error instanceof StatementRefused) {
    const text = `Code: ${error.code}. DB::Exception: ${error.message}. (${error.type})`;
    return { status: STATUS_OF_CODE.get(error.code) ?? 400, code: error.code, text };
  }
  const known = error instanceof HttpRefusal ? error : undefined;
  if (!known) console.error(error);
  const text = `Code: 1001. DB::Exception: ${known?.message ?? 'The warehouse failed.'} (STD_EXCEPTION)`;
  return { status: known?.status ?? 500, code: 1_001, text };
}

function answerError(response: ServerResponse, error: unknown): void {
  const { status, code, text } = describe(error);
  if (response.headersSent) {
    response.destroy();
    return;
  }
  response.writeHead(status, {
    'content-type': 'text/plain; charset=UTF-8',
    'x-clickhouse-exception-code': String(code),
    // What is left of the request's body is not read.
    connection: 'close',
  });
  response.end(`${text}\n`);
}
