import { KairosError } from '../../domain/errors.ts';
import type { Segment } from '../../domain/segment.ts';
import { DEFAULT_SHOP } from '../../domain/segment-eval.ts';
import { leavesOf, meaningOf, nodeOf } from '../../domain/segment-terms.ts';
import {
  type ClauseExplanation,
  explainFromAnswers,
  type ClauseAnswer,
} from '../../domain/segment-words.ts';
import type { Warehouse } from './client.ts';
import type { QueryParams } from './connection.ts';
import { ClauseCompiler } from './segment-clauses.ts';
import type { EventCompiler } from './segment-events.ts';
import { conjunctsOf, driverOf, emptyTruth, isOfEvents } from './segment-shape.ts';
import { SegmentZones, zonesOfPeople } from './segment-zones.ts';

export interface CompiledSegment {
  /** Columns `person_id` and `score` (null where no score rule asks for one). */
  readonly sql: string;
  readonly params: QueryParams;
}

export interface SegmentOptions {
  /** Shop time. What happens at or after it, people included, does not exist. */
  nowMs: number;
  /** The shop's own time zone; UTC by default. */
  timeZone?: string;
  /** The time zones that people have (`zonesOfPeople`), where their wall clocks matter; all that are known by default. */
  zones?: readonly string[];
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
  const compiler = compilerOf(options);
  const { params } = compiler;
  const wanted = [segment, ...(options.excluded ?? []).map((not): Segment => ({ not }))];
  const { among, having, conditions } = conditionsOf(wanted, compiler);
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
${sourcesOf(compiler, { among, having })}
WHERE ${conditions.length > 0 ? conditions.join('\n  AND ') : '1'}${limit}
SETTINGS join_use_nulls = 0`;
  return { sql, params: params.values };
}

function compilerOf({
  nowMs,
  timeZone = DEFAULT_SHOP.timeZone,
  zones,
}: SegmentOptions): ClauseCompiler {
  return new ClauseCompiler(nowMs, new SegmentZones(timeZone, zones));
}

/** What must hold, and where it is asked. */
interface Placed {
  /** A subquery of the ids of those whom a narrow part leaves; null where no part is narrow. */
  among: string | null;
  /** Of the events themselves; null where people without events may be members. */
  having: string[] | null;
  conditions: string[];
}

/**
 * What must hold, put where it costs least: a narrow part is asked first, and nobody else is looked at any more; where
 * somebody without events cannot be a member, conditions on events are asked of the events, before people are.
 */
function conditionsOf(wanted: readonly Segment[], compiler: ClauseCompiler): Placed {
  const all = wanted.flatMap(conjunctsOf);
  const driver = driverOf(all);
  const among = driver
    ? compiler.apart((events) => {
        const having = [conditionOf(driver, compiler)];
        return `SELECT person_id FROM (${eventSource(events, compiler.now, { having })})`;
      })
    : null;
  const parts = all.filter((part) => part !== driver);
  const conditions = (of: readonly Segment[]): string[] =>
    of.map((part) => conditionOf(part, compiler));
  const drives = parts.some((part) => isOfEvents(part) && emptyTruth(part) === false);
  if (!drives) return { among, having: null, conditions: conditions(parts) };
  return {
    among,
    having: conditions(parts.filter(isOfEvents)),
    conditions: conditions(parts.filter((part) => !isOfEvents(part))),
  };
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
    case 'segment':
      return conditionOf(meaningOf(node.clause), compiler);
    case 'leaf':
      return compiler.compile(node.leaf).holds;
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

interface Sources {
  /** A condition that names one person, such as `person_id = …`; '' for everybody. */
  only?: string;
  among?: string | null;
  having?: readonly string[] | null;
}

/** People, and beside each what the clauses need, from one pass over each table. */
function sourcesOf(
  compiler: ClauseCompiler,
  { only = '', among = null, having = null }: Sources,
): string {
  const { now, events } = compiler;
  const restricted = only === '' ? '' : ` AND ${only}`;
  const columns = [...new Set(['person_id', ...compiler.traitColumns])].join(', ');
  // Who is among them is known by then, where the events are joined strictly.
  const some = among === null || having ? '' : ` AND person_id IN (${among})`;
  const people = `SELECT ${columns} FROM person FINAL WHERE created_at < ${now}${restricted}${some}`;
  const sources = [`FROM (${people}) AS p`];
  const join = (alias: string, subquery: string, kind = 'LEFT'): void => {
    sources.push(`${kind} JOIN (${subquery}) AS ${alias} ON ${alias}.person_id = p.person_id`);
  };
  if (events.columns.size > 0) {
    const sql = eventSource(events, now, { only, among, having });
    join('e', sql, having ? 'INNER' : 'LEFT');
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
  WHERE model IN ${models} AND at < ${now}${restricted} GROUP BY person_id`,
    );
  }
  if (compiler.usesClusters) {
    join(
      'c',
      `SELECT person_id, argMax(name, version) AS name FROM person_cluster
  WHERE at = (SELECT max(at) FROM person_cluster WHERE at < ${now})${restricted} GROUP BY person_id`,
    );
  }
  return sources.join('\n');
}

/** What was measured of each person's events, in one pass over those that any clause means. */
function eventSource(
  events: EventCompiler,
  now: string,
  { only = '', among = null, having = null }: Sources,
): string {
  const aggregates = [...events.columns].map(([sql, name]) => `${sql} AS ${name}`);
  const zones = events.usesZones
    ? ` LEFT JOIN (SELECT person_id, time_zone FROM person FINAL) AS z ON z.person_id = v.person_id`
    : '';
  const restricted =
    (only === '' ? '' : ` AND v.${only}`) +
    (among === null ? '' : ` AND v.person_id IN (${among})`);
  return `SELECT v.person_id AS person_id, ${aggregates.join(', ')} FROM event AS v${zones}
  WHERE v.person_id != 0 AND at < ${now}
    AND (${[...events.conditions].join(' OR ')})${restricted}
  GROUP BY v.person_id${having && having.length > 0 ? `\n  HAVING ${having.join(' AND ')}` : ''}`;
}

/** The segment's query with what it needs to know of this warehouse. */
export async function prepareSegment(
  warehouse: Warehouse,
  segment: Segment,
  options: SegmentOptions,
): Promise<CompiledSegment> {
  return compileSegment(segment, await withZones(warehouse, segment, options));
}

/** How many people are in which of the segments: `mask` has the bit of each, `n` counts; people in none are left out. */
export async function compileMasks(
  warehouse: Warehouse,
  segments: readonly Segment[],
  options: SegmentOptions,
): Promise<CompiledSegment> {
  const compiler = compilerOf(await withZones(warehouse, { all: segments }, options));
  const bits = segments.map(
    (segment, index) => `${conditionOf(segment, compiler)} * ${2 ** index}`,
  );
  const sql = `SELECT toUInt32(${bits.join(' + ')}) AS mask, count() AS n
${sourcesOf(compiler, {})}
WHERE mask > 0 GROUP BY mask ORDER BY mask SETTINGS join_use_nulls = 0`;
  return { sql, params: compiler.params.values };
}

async function withZones<T extends SegmentOptions>(
  warehouse: Warehouse,
  segment: Segment,
  options: T,
): Promise<T> {
  const leaves = [segment, ...(options.excluded ?? [])].flatMap(leavesOf);
  const zoned = leaves.some(({ clause }) => 'zone' in clause && clause.zone === 'person');
  if (!zoned || options.zones) return options;
  return { ...options, zones: await zonesOfPeople(warehouse) };
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
  const query = await prepareSegment(warehouse, segment, options);
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
  shop: Pick<SegmentOptions, 'timeZone'> = {},
): Promise<ClauseExplanation> {
  const compiler = compilerOf(await withZones(warehouse, segment, { ...shop, nowMs }));
  const clauses = leavesOf(segment).map((node) => compiler.compile(node));
  const person = compiler.params.add('UInt64', personId);
  const sources = sourcesOf(compiler, { only: `person_id = ${person}` });
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
