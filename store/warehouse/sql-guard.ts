/**
 * What a statement to the embedded engine may not do. The engine's own grants (see `engine-config.ts`) already deny
 * every source outside the warehouse; this check stands before them, for what grants do not cover: the scalar function
 * `file`, `executable`, SQL inside strings, and the files that the client side of the engine reads and writes itself.
 * It reads tokens, so a word in a string or a comment does no harm, and where the engine's lexer has forms that nobody
 * here needs (dollar and curly quotes, `#` and `//` comments, escapes in names), it refuses them.
 */
export interface Token {
  kind: 'word' | 'name' | 'string' | 'sign';
  /** A name without its quotes; a word as written. */
  text: string;
  start: number;
  end: number;
}

/** A refusal or a syntax error, with the number that ClickHouse gives such an error. */
export class StatementRefused extends Error {
  readonly code: number;
  readonly type: string;

  constructor(code: number, type: string, message: string) {
    super(message);
    this.code = code;
    this.type = type;
  }
}

const denied = (what: string): StatementRefused =>
  new StatementRefused(497, 'ACCESS_DENIED', `Not enough privileges: ${what} is denied here`);
const malformed = (what: string): StatementRefused =>
  new StatementRefused(62, 'SYNTAX_ERROR', `Syntax error: ${what}`);

const WORD = /[A-Za-z_][A-Za-z0-9_]*/y;

/** The tokens of a statement, one at a time, so that the data behind `INSERT … FORMAT x` is never read as SQL. */
export function* tokensOf(sql: string): Generator<Token, void, undefined> {
  let at = 0;
  while (at < sql.length) {
    const start = at;
    const sign = sql[at]!;
    if (/\s/.test(sign)) {
      at += 1;
    } else if (sql.startsWith('--', at)) {
      const end = sql.indexOf('\n', at);
      at = end < 0 ? sql.length : end;
    } else if (sql.startsWith('/*', at)) {
      const end = sql.indexOf('*/', at + 2);
      if (end < 0) throw malformed('a comment does not end');
      at = end + 2;
    } else if (sign === '#' || sign === '$' || sql.startsWith('//', at) || isCurlyQuote(sign)) {
      throw malformed(`${JSON.stringify(sign)} outside of quotes is not accepted`);
    } else if (sign === "'" || sign === '"' || sign === '`') {
      at = endOfQuoted(sql, at);
      const text = sql.slice(start + 1, at - 1);
      yield { kind: sign === "'" ? 'string' : 'name', text, start, end: at };
    } else {
      WORD.lastIndex = at;
      const word = WORD.exec(sql)?.[0];
      at += word?.length ?? 1;
      yield { kind: word ? 'word' : 'sign', text: word ?? sign, start, end: at };
    }
  }
}

function endOfQuoted(sql: string, start: number): number {
  const quote = sql[start];
  for (let at = start + 1; at < sql.length; at += 1) {
    if (sql[at] === '\\') at += 1;
    else if (sql[at] === quote && sql[at + 1] === quote) at += 1;
    else if (sql[at] === quote) return at + 1;
  }
  throw malformed('a quoted text does not end');
}

function isCurlyQuote(sign: string): boolean {
  return sign >= '\u2018' && sign <= '\u201f';
}

/** What a statement may begin with. `SET`, `USE`, `SYSTEM`, `ATTACH`, `BACKUP`, `GRANT`, `KILL` and others may not. */
const BEGINNINGS = new Set(
  `SELECT WITH INSERT CREATE DROP ALTER TRUNCATE OPTIMIZE DELETE EXPLAIN SHOW DESCRIBE DESC EXISTS CHECK (`.split(
    ' ',
  ),
);

/** Functions that reach out of the warehouse, run programs, or take SQL as a string; in lower case. */
const DENIED_CALLS = new Set(
  `arrowstream azureblobstorage catboostevaluate cluster clusterallreplicas cosn dictionary eval executable file
  filesystem fuzzquery fuzzjson gcs getclienthttpheader getserversetting getserverport hdfs hive input jdbc loop mongodb
  mysql odbc oss postgresql prometheusquery prometheusqueryrange python redis remote remotesecure s3 sqlite url
  viewexplain viewifpermitted ytsaurus naivebayesclassifier sleep sleepeachrow`.split(/\s+/),
);
/** Families of table functions with many members, such as `icebergS3Cluster`. */
const DENIED_FAMILY =
  /^(?:ai[a-z]+|azure\w+|deltalake\w*|file\w+|gcs\w+|hdfs\w+|hudi\w*|iceberg\w*|paimon\w*|remote\w+|s3\w+|url(?:cluster|\w*engine)|dictget\w*)$/;
/** Words that make the client side of the engine read or write files. */
const DENIED_WORDS = new Set(['OUTFILE', 'INFILE']);

/**
 * Checks one whole statement.
 * @returns the statement without a semicolon at its end, the format that it names itself, and whether it only reads
 * @throws StatementRefused
 */
export function checkStatement(sql: string): {
  sql: string;
  format: string | undefined;
  isSelect: boolean;
} {
  let first: Token | undefined;
  let before: Token | undefined;
  let format: string | undefined;
  let end = sql.length;
  let ended = false;
  for (const token of tokensOf(sql)) {
    if (ended) throw malformed('more than one statement');
    first ??= token;
    if (!before && !BEGINNINGS.has(token.text.toUpperCase())) {
      throw denied(`a statement that begins with ${token.text.slice(0, 40)}`);
    }
    if (token.kind === 'sign' && token.text === ';') {
      ended = true;
      end = token.start;
    } else if (token.kind === 'sign' && token.text === '(') {
      if (before) checkCall(before);
    } else if (token.kind === 'word' && DENIED_WORDS.has(token.text.toUpperCase())) {
      throw denied(token.text.toUpperCase());
    } else if (before && isWord(before, 'FORMAT') && token.kind === 'word') {
      format = token.text;
    }
    before = token;
  }
  if (!first) throw malformed('an empty statement');
  const isSelect = ['SELECT', 'WITH', '('].includes(first.text.toUpperCase());
  return { sql: sql.slice(0, end), format, isSelect };
}

function checkCall(callee: Token): void {
  if (callee.kind !== 'word' && callee.kind !== 'name') return;
  if (callee.text.includes('\\')) throw denied('a quoted name with an escape before a parenthesis');
  const name = callee.text.toLowerCase();
  if (DENIED_CALLS.has(name) || DENIED_FAMILY.test(name)) throw denied(`${callee.text}()`);
}

function isWord(token: Token | undefined, word: string): boolean {
  return token?.kind === 'word' && token.text.toUpperCase() === word;
}

export interface InsertTarget {
  table: string;
  columns: string[] | undefined;
  format: string;
  /** Where the data begins when it stands behind the statement. */
  dataFrom: number;
}

/**
 * Reads `INSERT INTO [TABLE] [db.]table [(columns)] FORMAT name`, the only form that brings its rows along; undefined
 * for every other statement.
 */
export function readInsert(sql: string): InsertTarget | undefined {
  const tokens = tokensOf(sql);
  const next = (): Token | undefined => tokens.next().value ?? undefined;
  if (!isWord(next(), 'INSERT') || !isWord(next(), 'INTO')) return undefined;
  let token = next();
  if (isWord(token, 'TABLE')) token = next();
  const path: string[] = [];
  for (; token && (token.kind === 'word' || token.kind === 'name'); token = next()) {
    path.push(plainName(token));
    token = next();
    if (token?.text !== '.') break;
  }
  let columns: string[] | undefined;
  if (token?.text === '(') {
    columns = [];
    for (token = next(); token && token.text !== ')'; token = next()) {
      if (token.text !== ',') columns.push(plainName(token));
    }
    token = next();
  }
  if (path.length === 0 || !isWord(token, 'FORMAT')) return undefined;
  const format = next();
  if (format?.kind !== 'word') throw malformed('FORMAT without a name');
  if (format.text.toUpperCase() === 'VALUES') return undefined;
  return { table: path.join('.'), columns, format: format.text, dataFrom: format.end };
}

function plainName(token: Token): string {
  if (/^[A-Za-z_][A-Za-z0-9_]*$/.test(token.text)) return token.text;
  throw malformed('INSERT takes plain names of letters, digits and _');
}
