import { KairosError } from '../../domain/errors.ts';
import type { Segment } from '../../domain/segment.ts';
import { clausesOf, nodeOf } from '../../domain/segment-terms.ts';
import {
  type ClauseExplanation,
  explainFromAnswers,
  type ClauseAnswer,
} from '../../domain/segment-words.ts';
import type { Warehouse } from './client.ts';
import type { QueryParams } from './connection.ts';
import { ClauseCompiler } from './segment-clauses.ts';

export interface CompiledSegment {
  /** Columns `person_id` and `score` (null where no score rule asks for one). */
  readonly sql: string;
  readonly params: QueryParams;
}

export interface SegmentOptions {
  /** Shop time. What happens at or after it, people included, does not exist. */
  nowMs: number;
  /** Who is left out although in the segment. */
  excluded?: readonly Segment[];
  /** Keeps people that have a score by this model, within bounds where they are given. */
  score?: { model: string; min?: number; max?: number };
  /** At most this many: those with the best score where there is a score rule, else by a stable hash with `salt`. */
  limit?: number;
  salt?: string;
}

/** One parametrised query for the segment; nothing that a person wrote stands in its text. */
export function compileSegment(segment: Segment, options: SegmentOptions): CompiledSegment {
  const compiler = new ClauseCompiler(options.nowMs);
  const { params } = compiler;
  const conditions = [
    conditionOf(segment, compiler),
    ...(options.excluded ?? []).map((part) => `(NOT ${conditionOf(part, compiler)})`),
  ];
  let score = "CAST(NULL, 'Nullable(Float64)')";
  if (options.score) {
    const { model, min, max } = options.score;
    const found = compiler.scoreOf(model);
    score = found.value;
    conditions.push(found.has);
    if (min !== undefined) conditions.push(`(${score} >= ${params.add('Float64', min)})`);
    if (max !== undefined) conditions.push(`(${score} <= ${params.add('Float64', max)})`);
  }
  const best = options.score ? 'score DESC, ' : '';
  const limit =
    options.limit === undefined
      ? ''
      : `\nORDER BY ${best}sipHash64(person_id, ${params.add('String', options.salt ?? '')}), person_id
LIMIT ${params.add('UInt64', options.limit)}`;
  const sql = `SELECT p.person_id AS person_id, ${score} AS score
${sourcesOf(compiler)}
WHERE ${conditions.join('\n  AND ')}${limit}
SETTINGS join_use_nulls = 0`;
  return { sql, params: params.values };
}

function conditionOf(segment: Segment, compiler: ClauseCompiler): string {
  const node = nodeOf(segment);
  switch (node.kind) {
    case 'all':
      return joined(node.parts, 'AND', '1', compiler);
    case 'any':
      return joined(node.parts, 'OR', '0', compiler);
    case 'not':
      return `(NOT ${conditionOf(node.part, compiler)})`;
    case 'trait':
    case 'event':
    case 'score':
    case 'cluster':
      return compiler.compile(node.clause).holds;
    default:
      return node satisfies never;
  }
}

function joined(
  parts: readonly Segment[],
  sign: string,
  none: string,
  compiler: ClauseCompiler,
): string {
  if (parts.length === 0) return none;
  return `(${parts.map((part) => conditionOf(part, compiler)).join(` ${sign} `)})`;
}

/** People, and beside each what the clauses need, from one pass over each table; `only` names one person. */
function sourcesOf(compiler: ClauseCompiler, only = ''): string {
  const { now } = compiler;
  const columns = ['person_id', ...compiler.traitColumns].join(', ');
  const sources = [
    `FROM (SELECT ${columns} FROM person FINAL WHERE created_at < ${now}${only}) AS p`,
  ];
  const join = (alias: string, subquery: string): void => {
    sources.push(`LEFT JOIN (${subquery}) AS ${alias} ON ${alias}.person_id = p.person_id`);
  };
  if (compiler.eventColumns.size > 0) {
    const aggregates = [...compiler.eventColumns].map(([sql, name]) => `${sql} AS ${name}`);
    join(
      'e',
      `SELECT person_id, ${aggregates.join(', ')} FROM event
  WHERE person_id != 0${only} AND at < ${now} AND machine = 0
    AND (${[...compiler.eventConditions].join(' OR ')})
  GROUP BY person_id`,
    );
  }
  if (compiler.models.size > 0) {
    const aggregates = [...compiler.models].map(([model, name]) => {
      const isModel = `model = ${compiler.params.add('String', model)}`;
      return `argMaxIf(value, (at, version), ${isModel}) AS ${name}, countIf(${isModel}) AS ${name}_n`;
    });
    const models = compiler.params.add('Array(String)', [...compiler.models.keys()]);
    join(
      's',
      `SELECT person_id, ${aggregates.join(', ')} FROM score
  WHERE model IN ${models} AND at < ${now}${only} GROUP BY person_id`,
    );
  }
  if (compiler.usesClusters) {
    join(
      'c',
      `SELECT person_id, argMax(name, version) AS name FROM person_cluster
  WHERE at = (SELECT max(at) FROM person_cluster WHERE at < ${now})${only} GROUP BY person_id`,
    );
  }
  return sources.join('\n');
}

export interface SegmentMember {
  personId: number;
  score: number | null;
}

/** The members in batches, as the warehouse finds them. */
export async function* segmentMembers(
  warehouse: Warehouse,
  compiled: CompiledSegment,
): AsyncGenerator<SegmentMember[]> {
  const rows = warehouse.stream<{ person_id: number; score: number | null }>(
    compiled.sql,
    compiled.params,
  );
  for await (const batch of rows) {
    yield batch.map(({ person_id: personId, score }) => ({ personId, score }));
  }
}

/** How many, and some of them by a stable hash with their shop's ids: for a preview and for the launch guard. */
export async function previewSegment(
  warehouse: Warehouse,
  segment: Segment,
  options: SegmentOptions,
  sampleSize = 10,
): Promise<{
  count: number;
  sample: { personId: number; externalId: string; score: number | null }[];
  query: CompiledSegment;
}> {
  const query = compileSegment(segment, options);
  const [total] = await warehouse.query<{ n: number }>(
    `SELECT count() AS n FROM (${query.sql})`,
    query.params,
  );
  const sample = await warehouse.query<{
    personId: number;
    externalId: string;
    score: number | null;
  }>(
    `SELECT m.person_id AS personId, x.external_id AS externalId, m.score AS score
     FROM (SELECT * FROM (${query.sql}) ORDER BY sipHash64(person_id) LIMIT {sample_size:UInt32}) AS m
     LEFT JOIN (SELECT person_id, external_id FROM person FINAL) AS x ON x.person_id = m.person_id
     ORDER BY sipHash64(m.person_id)`,
    { ...query.params, sample_size: sampleSize },
  );
  return { count: total!.n, sample, query };
}

/**
 * Why a person is in a segment, or is not: the truth of each part, with what was measured, in a marketer's words.
 * @throws KairosError PERSON_UNKNOWN where the warehouse does not know the person at `nowMs`
 */
export async function explainSegment(
  warehouse: Warehouse,
  segment: Segment,
  personId: number,
  nowMs: number,
): Promise<ClauseExplanation> {
  const compiler = new ClauseCompiler(nowMs);
  const clauses = clausesOf(segment).map((clause) => compiler.compile(clause));
  const person = compiler.params.add('UInt64', personId);
  const sources = sourcesOf(compiler, ` AND person_id = ${person}`);
  const [row] = await warehouse.query<{ holds: number[]; measured: string[] }>(
    `SELECT CAST([${clauses.map(({ holds }) => holds).join(', ')}], 'Array(UInt8)') AS holds,
       CAST([${clauses.map(({ measured }) => measured).join(', ')}], 'Array(String)') AS measured
     ${sources} SETTINGS join_use_nulls = 0`,
    compiler.params.values,
  );
  if (!row) {
    throw new KairosError(
      'PERSON_UNKNOWN',
      `The warehouse does not know person ${personId} at ${new Date(nowMs).toISOString()}: see whether the projector has passed the person's first event.`,
    );
  }
  const answers = row.holds.map((holds, index): ClauseAnswer => ({
    holds: holds === 1,
    measured: JSON.parse(row.measured[index]!) as ClauseAnswer['measured'],
  }));
  return explainFromAnswers(segment, answers);
}
