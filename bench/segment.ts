import { MS_PER_DAY } from '../domain/clock.ts';
import type { Segment } from '../domain/segment.ts';
import { featuresAsOf } from '../store/warehouse/features.ts';
import { compileSegment, explainSegment, segmentMembers } from '../store/warehouse/segment-sql.ts';
import { processUsage } from './support/process.ts';
import {
  type BenchOptions,
  type BenchResult,
  ratios,
  spread,
  spreadText,
} from './support/result.ts';
import { interleave } from './support/rounds.ts';
import { type LiveFigures, measureLive } from './segment/live.ts';
import { NOW_MS, type SegmentWorld, startWorld } from './segment/world.ts';

/**
 * How long a segment takes over 10 events a person (`--recipients` people, a million by default) through the language,
 * beside PostgreSQL with a covering index and the best SQL by hand for the same question; both must name as many people.
 */
const PEOPLE = 1_000_000;

/** Viewed a category at least 3 times in 30 days, bought nothing in 7, spent over 100 in all. */
export const SEGMENT: Segment = {
  all: [
    { event: 'Product Viewed', where: { category: 'c1' }, within: '30d', is: 'ge', value: 3 },
    { never: 'Order Completed', within: '7d' },
    { event: 'Order Completed', measure: 'sum', is: 'gt', value: 100 },
  ],
};
const BY_HAND = `
  with viewers as materialized (
    select person_id from bench_event
    where type = 'Product Viewed' and category = 'c1' and at >= $1::timestamptz - interval '30 days' and at < $1
    group by person_id having count(*) >= 3
  ), buyers as (
    select person_id from bench_event
    where type = 'Order Completed' and at < $1 and person_id in (select person_id from viewers)
    group by person_id having sum(amount) > 100 and max(at) < $1::timestamptz - interval '7 days'
  )
  select id from bench_person join buyers on id = person_id where created_at < $1`;

interface Run {
  seconds: number;
  members: number;
  /** Of the warehouse's process. */
  cpuSeconds: number;
}

export async function run(options: BenchOptions): Promise<BenchResult> {
  const asked = await runQuestions(options);
  const live: LiveFigures = await measureLive(options.recipients ?? PEOPLE, options.log);
  return { ...asked, figures: { ...asked.figures, ...live } };
}

async function runQuestions({ rounds, recipients, log }: BenchOptions): Promise<BenchResult> {
  const world = await startWorld(recipients ?? PEOPLE, log);
  try {
    const contenders = { kairos: () => runKairos(world), postgres: () => runPostgres(world) };
    // Once without a clock: both have their caches then.
    await contenders.kairos();
    await contenders.postgres();
    const runs = await interleave(rounds, contenders, log, describe);
    const members = runs['kairos']![0]!.members;
    const other = runs['postgres']![0]!.members;
    if (members !== other || members === 0) {
      throw new Error(`Kairos found ${members} people and PostgreSQL ${other}; expected the same.`);
    }
    const more = await otherFigures(world, rounds);
    return resultOf(world, runs, { members, more });
  } finally {
    await world.stop();
  }
}

async function runKairos({ t }: SegmentWorld): Promise<Run> {
  const cpu = (): number => (processUsage(t.process.pid!)?.cpuMicros ?? 0) / 1e6;
  const [cpuFrom, from] = [cpu(), performance.now()];
  // Compiling is part of it, and reading every member.
  const query = compileSegment(SEGMENT, { nowMs: NOW_MS });
  let members = 0;
  for await (const batch of segmentMembers(t.warehouse, query)) members += batch.length;
  const seconds = (performance.now() - from) / 1_000;
  return { seconds, members, cpuSeconds: cpu() - cpuFrom };
}

async function runPostgres({ db }: SegmentWorld): Promise<Run> {
  const from = performance.now();
  const { rows } = await db.query(BY_HAND, [new Date(NOW_MS)]);
  return { seconds: (performance.now() - from) / 1_000, members: rows.length, cpuSeconds: 0 };
}

const describe = ({ seconds, members }: Run): string =>
  `${(1_000 * seconds).toFixed(0)} ms, ${members} people`;

/** Smaller questions of one person, and the features of many. */
async function otherFigures(
  world: SegmentWorld,
  rounds: number,
): Promise<Record<string, number[]>> {
  const { warehouse } = world.t;
  const asOfMs = NOW_MS - 30 * MS_PER_DAY;
  const questions = {
    smallQueryMs: () =>
      warehouse.query('SELECT count() AS n FROM event WHERE person_id = {p:UInt64}', { p: 7 }),
    explainMs: () => explainSegment(warehouse, SEGMENT, 7, NOW_MS),
    featuresOf1500Ms: () => featuresAsOf(warehouse, { asOfMs, limit: 1_500 }),
  };
  const times: Record<string, number[]> = {};
  for (const [name, ask] of Object.entries(questions)) {
    times[name] = [];
    for (let round = 0; round < rounds; round += 1) {
      const from = performance.now();
      await ask();
      times[name].push(performance.now() - from);
    }
  }
  return times;
}

function resultOf(
  world: SegmentWorld,
  runs: Record<string, Run[]>,
  { members, more }: { members: number; more: Record<string, number[]> },
): BenchResult {
  const seconds = (name: string): number[] => runs[name]!.map((each) => each.seconds);
  const times = spread(seconds('kairos'));
  const toPostgres = ratios(seconds('postgres'), seconds('kairos'));
  const row = (name: string, label: string, cpu: string): (string | number)[] => [
    label,
    spreadText(seconds(name), 3),
    cpu,
    runs[name]![0]!.members,
  ];
  return {
    figures: {
      seconds: times.median,
      secondsMin: times.min,
      secondsMax: times.max,
      cpuSeconds: spread(runs['kairos']!.map((each) => each.cpuSeconds)).median,
      postgresSeconds: spread(seconds('postgres')).median,
      members,
      events: world.events,
      rows: world.rows,
      people: world.people,
      ...Object.fromEntries(Object.entries(more).map(([name, all]) => [name, spread(all).median])),
    },
    ratios: { toPostgres: spread(toPostgres).median },
    tables: [
      {
        title: `${world.events} events (${world.rows} rows) of ${world.people} people: median (min–max)`,
        columns: ['engine', 'seconds', 'CPU seconds', 'people found'],
        rows: [
          row(
            'kairos',
            'Kairos: the language, compiled, through chDB',
            spreadText(
              runs['kairos']!.map((each) => each.cpuSeconds),
              2,
            ),
          ),
          row('postgres', 'PostgreSQL: SQL by hand, covering index', '–'),
        ],
      },
    ],
  };
}
