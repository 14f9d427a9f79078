import * as z from 'zod';
import { DEFAULT_LANES, LANES, type LaneName, type LaneSettings, type LaneTable } from './lane.ts';
import type { Problem } from './problem.ts';
import { problemsOf, said } from './schema-problems.ts';

/** What a lane file may say of a lane; what it leaves out stays as it was, and its domains are added. */
export type LaneOverrides = { readonly [lane in LaneName]?: Partial<LaneSettings> | undefined };

const upTo = (max: number) => z.int().min(1).max(max);
const wholeUpTo = (max: number): string =>
  `a whole number from 1 to ${max.toLocaleString('en-US')}`;
const DAILY_MAX = 100_000_000;
const volume = (what: string) => said(upTo(DAILY_MAX), `${what}, ${wholeUpTo(DAILY_MAX)}`);

const domain = said(
  z
    .string()
    .max(253)
    .regex(/^(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]{0,61}[a-z0-9]$/),
  'a domain in lower case, without "@"',
  'Such as gmail.com; an international one in its ASCII form (xn--…).',
);

const warmUp = said(
  z
    .strictObject({
      start: volume('messages on the first day'),
      factor: said(z.number().min(1).max(10), 'the growth from day to day, from 1 to 10'),
      ceiling: volume('messages a day at most'),
    })
    .nullable(),
  '{start, factor, ceiling}, or null',
  'Such as {start: 500, factor: 1.5, ceiling: 100000}.',
);

const lane = said(
  z.strictObject({
    domains: said(z.array(domain).max(10_000), 'a list of domains').optional(),
    ratePerSecond: said(
      z.number().min(0.01).max(100_000).nullable(),
      'messages a second, from 0.01 to 100,000, or null',
    ).optional(),
    concurrency: said(
      upTo(10_000).nullable(),
      `messages handed over at once, ${wholeUpTo(10_000)}, or null`,
    ).optional(),
    warmUp: warmUp.optional(),
  }),
  'an object with domains, ratePerSecond, concurrency or warmUp',
);

const schema = said(
  z.strictObject(
    Object.fromEntries(LANES.map((name) => [name, lane.optional()])) as Record<
      LaneName,
      z.ZodOptional<typeof lane>
    >,
  ),
  `lanes by name: ${LANES.join(', ')}`,
);

/** The lanes that a file describes where all is well, else null; and one sentence for each problem. */
export function checkLanes(input: unknown): { lanes: LaneOverrides | null; problems: Problem[] } {
  const result = schema.safeParse(input, { reportInput: true });
  const problems = result.success
    ? twice(result.data as LaneOverrides)
    : problemsOf(result.error.issues, schema, input, 'the lane file');
  return problems.length > 0
    ? { lanes: null, problems }
    : { lanes: result.data as LaneOverrides, problems };
}

/** A domain belongs to one lane. */
function twice(lanes: LaneOverrides): Problem[] {
  const seen = new Map<string, LaneName>();
  const problems: Problem[] = [];
  for (const name of LANES) {
    for (const [at, text] of (lanes[name]?.domains ?? []).entries()) {
      const first = seen.get(text);
      if (first === undefined) seen.set(text, name);
      else {
        problems.push({
          pointer: `/${name}/domains/${at}`,
          at: 'value',
          message: `${name}.domains[${at}] is named in the lane ${first} already; expected it once.`,
        });
      }
    }
  }
  return problems;
}

/** The table with what `over` says: its domains leave the lanes they were in. */
export function withLanes(table: LaneTable, over: LaneOverrides): LaneTable {
  const moved = new Set(LANES.flatMap((name) => over[name]?.domains ?? []));
  const entries = LANES.map((name): [LaneName, LaneSettings] => [
    name,
    {
      ...table[name],
      ...over[name],
      domains: [
        ...table[name].domains.filter((known) => !moved.has(known)),
        ...(over[name]?.domains ?? []),
      ],
    },
  ]);
  return Object.fromEntries(entries) as Record<LaneName, LaneSettings>;
}

/** The default table with one set of overrides after the other. */
export function laneTable(...overs: readonly LaneOverrides[]): LaneTable {
  return overs.reduce(withLanes, DEFAULT_LANES);
}
