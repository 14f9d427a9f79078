import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import type { StatementContext } from './engine.ts';
import { StatementRefused } from './sql-guard.ts';

/** Reads and judges a request before any of it reaches the engine. */
const inflate = promisify(gunzip);

/** One request's body, unpacked. It is held whole, since one body is one insert and one token. */
const BODY_BYTES_MAX = 128 * 1_024 * 1_024;

/** Settings of the HTTP layer of a real server; the engine does not know them. */
const HTTP_SETTINGS = new Set([
  'buffer_size',
  'cancel_http_readonly_queries_on_client_close',
  'compress',
  'decompress',
  'default_format',
  'enable_http_compression',
  'http_response_buffer_size',
  'http_zlib_compression_level',
  'send_progress_in_http_headers',
  'wait_end_of_query',
]);
const NOT_SETTINGS = new Set(['query', 'query_id', 'session_id', 'role', 'user']);
const NAME = /^[A-Za-z_][A-Za-z0-9_]*$/;

export class HttpRefusal extends Error {
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

export const digest = (text: string): Buffer => createHash('sha256').update(text).digest();

/** A web page can send requests to loopback, by a name of its own too; no page has business here. */
export function checkOrigin(request: IncomingMessage): void {
  const host = (request.headers.host ?? '').replace(/:\d+$/, '').toLowerCase();
  if (!['127.0.0.1', 'localhost', '[::1]'].includes(host)) {
    throw new HttpRefusal(403, 'The Host must be a loopback name.');
  }
  if (request.headers.origin !== undefined) {
    throw new HttpRefusal(403, 'Requests of web pages are refused.');
  }
}

/** @param expected the digest of the key, shown as `X-ClickHouse-Key` or as the password of basic authentication */
export function checkKey(request: IncomingMessage, expected: Buffer): void {
  const basic = /^Basic ([A-Za-z0-9+/=]+)$/.exec(request.headers.authorization ?? '')?.[1];
  const password = basic
    ? Buffer.from(basic, 'base64')
        .toString('utf8')
        .replace(/^[^:]*:/, '')
    : undefined;
  const header = request.headers['x-clickhouse-key'];
  const given = typeof header === 'string' ? header : password;
  // Digests have one length, so that the comparison tells nothing about the key's.
  if (given === undefined || !timingSafeEqual(digest(given), expected)) {
    const message = 'Authentication failed: the key is missing or wrong';
    throw new StatementRefused(516, 'AUTHENTICATION_FAILED', message);
  }
}

/** A statement as it came, with the rows that came along. */
export interface StatementRequest extends StatementContext {
  text: string;
  /** The body where the statement stood in the URL. */
  body: Buffer | undefined;
  search: URLSearchParams;
}

export async function readStatement(
  request: IncomingMessage,
  search: URLSearchParams,
): Promise<StatementRequest> {
  const body = await readBody(request);
  const inUrl = search.get('query');
  const type = request.headers['content-type'] ?? '';
  if (!type.startsWith('multipart/form-data')) {
    const context = readContext(search, request.method === 'GET');
    return inUrl === null
      ? { ...context, text: body.toString('utf8'), body: undefined, search }
      : { ...context, text: inUrl, body, search };
  }
  // The client's way to send parameters that are too long for a URL.
  const form = await new Response(new Uint8Array(body), { headers: { 'content-type': type } })
    .formData()
    .catch(() => {
      throw new HttpRefusal(400, 'The form in the body is malformed.');
    });
  const all = new URLSearchParams(search);
  for (const [name, value] of form) if (typeof value === 'string') all.append(name, value);
  const context = readContext(all, false);
  return { ...context, text: all.get('query') ?? '', body: undefined, search };
}

async function readBody(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > BODY_BYTES_MAX) throw tooLarge();
    chunks.push(chunk);
  }
  const body = Buffer.concat(chunks);
  const encoding = request.headers['content-encoding'] ?? 'identity';
  if (encoding === 'identity') return body;
  if (encoding !== 'gzip') throw new HttpRefusal(415, 'The body must be plain or gzip.');
  try {
    return await inflate(body, { maxOutputLength: BODY_BYTES_MAX });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE') throw tooLarge();
    throw new HttpRefusal(400, 'The body is not gzip.');
  }
}

const tooLarge = (): HttpRefusal =>
  new HttpRefusal(413, `A body holds at most ${BODY_BYTES_MAX} bytes: send smaller batches.`);

function readContext(search: URLSearchParams, readOnly: boolean): StatementContext {
  const settings = new Map<string, string>(readOnly ? [['readonly', '2']] : []);
  const params = new Map<string, string>();
  let database: string | undefined;
  for (const [name, value] of search) {
    if (!NAME.test(name)) throw new HttpRefusal(400, 'Names in the URL are letters, digits and _.');
    if (name.startsWith('param_')) params.set(name.slice(6), value);
    else if (name === 'database') database = value;
    else if (!NOT_SETTINGS.has(name) && !HTTP_SETTINGS.has(name)) settings.set(name, value);
  }
  if (database !== undefined && !NAME.test(database)) {
    throw new HttpRefusal(400, 'The name of a database is letters, digits and _.');
  }
  return { database, settings, params };
}
