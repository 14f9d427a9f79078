import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { MS_PER_DAY } from '../domain/clock.ts';
import type { Segment } from '../domain/segment.ts';
import { featuresAsOf } from '../store/warehouse/features.ts';
import { projectEvents } from '../store/warehouse/project.ts';
import { compileSegment, explainSegment, segmentMembers } from '../store/warehouse/segment-sql.ts';
import { startWarehouse, type TestWarehouse } from '../test/support/warehouse.ts';

/**
 * The warehouse on one machine: how fast the log is projected, and how long a segment, features and a small question
 * take over `--events` synthetic rows of a tenth as many people. `node bench/segment.ts [--events N] [--json]`.
 */
export interface SegmentFigures {
  events: number;
  /** Log rows a second by the projector's way (a third of them orders with two lines), and rows of the table. */
  projectedPerSecond: number;
  rowsPerSecond: number;
  smallQueryMs: number;
  segmentMs: number;
  /** What the warehouse's process used for it: comparable on a busy machine too. */
  segmentCpuMs: number;
  segmentMembers: number;
  explainMs: number;
  featuresOf1500Ms: number;
  featuresOf100kMs: number;
  bytesPerRow: number;
}

const NOW_MS = Date.UTC(2026, 0, 1);
const ROUNDS = 5;

/** Lapsed buyers: spent enough within a year, not within 60 days, still look or open. */
const LAPSED: Segment = {
  all: [
    { event: 'Order Completed', measure: 'sum', within: '365d', is: 'ge', value: 100 },
    { event: 'Order Completed', measure: 'recency', is: 'ge', value: 60 },
    {
      any: [
        {
          event: 'Product Viewed',
          within: '90d',
          where: { category: ['c1', 'c2'] },
          is: 'ge',
          value: 1,
        },
        { event: 'Email Opened', within: '30d', is: 'ge', value: 1 },
      ],
    },
    { trait: 'country', is: 'in', value: ['DE', 'FR'] },
  ],
};

export async function benchSegment(
  events: number,
  log: (line: string) => void,
): Promise<SegmentFigures> {
  const t = await startWarehouse();
  try {
    const projected = await benchProjector(t);
    log(`projected ${Math.round(projected.events)} log rows a second`);
    await t.warehouse.reset();
    const people = Math.max(1, Math.floor(events / 10));
    await fill(t, events, people);
    log(`${events} rows of ${people} people are there`);
    const { warehouse } = t;
    const query = compileSegment(LAPSED, { nowMs: NOW_MS });
    let members = 0;
    const cpuFrom = cpuMsOf(t.process.pid!);
    const segmentMs = await median(async () => {
      members = 0;
      for await (const batch of segmentMembers(warehouse, query)) members += batch.length;
    });
    const segmentCpuMs = Math.round((cpuMsOf(t.process.pid!) - cpuFrom) / ROUNDS);
    const smallQueryMs = await median(() =>
      warehouse.query('SELECT count() AS n FROM event WHERE person_id = {p:UInt64}', { p: 7 }),
    );
    const explainMs = await median(() => explainSegment(warehouse, LAPSED, 7, NOW_MS));
    const asOfMs = NOW_MS - 30 * MS_PER_DAY;
    const label = { event: 'Order Completed', withinMs: 30 * MS_PER_DAY };
    const featuresOf1500Ms = await median(() =>
      featuresAsOf(warehouse, { asOfMs, label, limit: 1_500 }),
    );
    const featuresOf100kMs = await median(() =>
      featuresAsOf(warehouse, { asOfMs, limit: 100_000 }),
    );
    const [size] = await warehouse.query<{ bytes: number }>(
      "SELECT sum(bytes_on_disk) AS bytes FROM system.parts WHERE active AND table = 'event'",
    );
    return {
      events,
      projectedPerSecond: Math.round(projected.events),
      rowsPerSecond: Math.round(projected.rows),
      smallQueryMs,
      segmentMs,
      segmentCpuMs,
      segmentMembers: members,
      explainMs,
      featuresOf1500Ms,
      featuresOf100kMs,
      bytesPerRow: Math.round(size!.bytes / events),
    };
  } finally {
    await t.stop();
  }
}

/** User and system time of a process; 0 where there is no /proc. */
function cpuMsOf(pid: number): number {
  try {
    // Fields 14 and 15 of proc(5), in ticks of 10 ms; the name before them may hold spaces.
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)!.split(' ');
    return (Number(fields[11]) + Number(fields[12])) * 10;
  } catch {
    return 0;
  }
}

async function median(work: () => Promise<unknown>): Promise<number> {
  const times: number[] = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    const from = performance.now();
    await work();
    times.push(performance.now() - from);
  }
  return Math.round(times.sort((a, b) => a - b)[Math.floor(ROUNDS / 2)]! * 10) / 10;
}

async function benchProjector(t: TestWarehouse): Promise<{ events: number; rows: number }> {
  const batch = 20_000;
  const eventOf = (id: number) => ({
    id,
    type: id % 3 === 0 ? 'Order Completed' : 'Product Viewed',
    personId: 1 + (id % 5_000),
    atMs: NOW_MS - (id % 700) * MS_PER_DAY,
    properties:
      id % 3 === 0
        ? {
            orderId: `o${id}`,
            total: 30,
            products: [1, 2].map((n) => ({
              sku: `s${n}`,
              quantity: n,
              price: 10,
              category: `c${n}`,
            })),
          }
        : { sku: `s${id % 400}`, category: `c${id % 12}`, price: 9.99 },
  });
  const batches = Array.from({ length: ROUNDS }, (_, round) =>
    Array.from({ length: batch }, (_, index) => eventOf(round * batch + index + 1)),
  );
  const from = performance.now();
  for (const [round, events] of batches.entries()) {
    await projectEvents(t.warehouse, events, `bench-${round}`);
  }
  const seconds = (performance.now() - from) / 1_000;
  const { rows, events } = await t.warehouse.counts();
  return { events: events / seconds, rows: rows / seconds };
}

/** Made by the engine itself: what is measured is asking, not loading. */
async function fill(t: TestWarehouse, events: number, people: number): Promise<void> {
  const params = { events, people, now: NOW_MS };
  await t.warehouse.query(
    `INSERT INTO event SELECT number + 1, 0,
       ['Product Viewed', 'Product Viewed', 'Email Opened', 'Order Completed', 'Product Added'][1 + number % 5],
       concat('c', toString(sipHash64(number, 1) % 12)),
       fromUnixTimestamp64Milli({now:Int64} - toInt64(sipHash64(number, 2) % (730 * 86400000)), 'UTC'),
       1 + sipHash64(number, 3) % {people:UInt64}, concat('s', toString(sipHash64(number, 4) % 400)),
       toString(number), '', (sipHash64(number, 5) % 10000) / 100, 1, 0, 0
     FROM numbers({events:UInt64})`,
    params,
  );
  await t.warehouse.query(
    `INSERT INTO person SELECT number + 1, 1, toString(number), ['DE', 'FR', 'US', 'GB'][1 + number % 4], '', '', 1, 1,
       map(), map(), map(), toDateTime64(0, 3, 'UTC') FROM numbers({people:UInt64})`,
    params,
  );
}

if (import.meta.main) {
  const { values } = parseArgs({
    options: { events: { type: 'string', default: '1000000' }, json: { type: 'boolean' } },
  });
  const figures = await benchSegment(Number(values.events), (line) => console.error(line));
  if (values.json) console.log(JSON.stringify({ bench: 'segment', figures, ratios: {} }));
  else console.table(figures);
}
