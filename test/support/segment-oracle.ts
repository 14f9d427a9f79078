import fc from 'fast-check';
import { expect } from 'vitest';
import { MS_PER_DAY } from '../../domain/clock.ts';
import { matchesSegment, type PersonFacts, type ShopContext } from '../../domain/segment-eval.ts';
import { resolvedSegment } from '../../domain/segment-references.ts';
import { checkSegment, segmentSchema } from '../../domain/segment.schema.ts';
import type { Segment } from '../../domain/segment.ts';
import { eventToRows, type WarehouseRow } from '../../domain/warehouse-rows.ts';
import type { Warehouse } from '../../store/warehouse/client.ts';
import { compileSegment, segmentMembers } from '../../store/warehouse/segment-sql.ts';
import { NAMED, personOf, segmentArbitrary, type World, worldArbitrary } from './segment-worlds.ts';

/** The warehouse against the evaluator in memory, over random shops and segments. */
export const named = new Map(Object.entries(NAMED));

/** Each world has people and a week of its own; the tables are shared, so that nothing is emptied between. */
let worlds = 0;

export interface Placed {
  nowMs: number;
  shop: ShopContext;
  facts: PersonFacts[];
}

export async function place(warehouse: Warehouse, world: World): Promise<Placed> {
  worlds += 1;
  const nowMs = Date.UTC(2023, 0, 1) + worlds * 7 * MS_PER_DAY + world.nowOffsetMs;
  const people = world.people.map((person, index) => ({
    ...personOf(person, worlds * 100 + index + 1, nowMs),
    source: person,
  }));
  const clusteringMs = nowMs - world.clusteringAgeMs;
  const facts = people.map(({ newest, events, source }): PersonFacts => ({
    person: newest,
    rows: events.flatMap(eventToRows),
    scores: source.scores.map((score) => ({ ...score, atMs: nowMs - score.ageMs })),
    cluster: clusteringMs < nowMs ? source.cluster : null,
  }));
  await Promise.all([
    insertLate(
      warehouse,
      facts.flatMap(({ rows }) => rows),
    ),
    warehouse.upsertPeople(people.flatMap(({ newest, older }) => [newest, older])),
    warehouse.insertScores(
      facts.flatMap(({ person, scores }) =>
        scores.map(({ model, atMs, version, value }) => ({
          model,
          atMs,
          version,
          value,
          personId: person.personId,
        })),
      ),
    ),
    warehouse.insertClusters(
      people.flatMap(({ newest, source }) =>
        source.cluster === null
          ? []
          : [{ personId: newest.personId, atMs: clusteringMs, version: 1, name: source.cluster }],
      ),
    ),
  ]);
  return { nowMs, shop: { timeZone: world.shopZone }, facts };
}

async function membersOf(
  warehouse: Warehouse,
  segment: Segment,
  { nowMs, shop, facts }: Placed,
): Promise<number[]> {
  const ids = new Set(facts.map(({ person }) => person.personId));
  const found: number[] = [];
  for await (const batch of segmentMembers(
    warehouse,
    compileSegment(segment, { nowMs, ...shop }),
  )) {
    for (const { personId } of batch) if (ids.has(personId)) found.push(personId);
  }
  return found.sort((a, b) => a - b);
}

function expectedOf(segment: Segment, { nowMs, shop, facts }: Placed): number[] {
  return facts
    .filter((one) => one.person.createdAtMs < nowMs && matchesSegment(segment, one, nowMs, shop))
    .map(({ person }) => person.personId);
}

/** Half of the events come after the others, whenever they were. */
async function insertLate(warehouse: Warehouse, rows: readonly WarehouseRow[]): Promise<void> {
  const late = rows.filter((row) => row.eventId % 2 === 0);
  const first = rows.filter((row) => row.eventId % 2 === 1);
  await warehouse.insertEvents(first, `world-${worlds}`);
  await warehouse.insertEvents(late, `world-${worlds}-late`);
}

/**
 * Fails where the two disagree, with the smallest shop and segment that show it.
 * @returns the share of people who were members, so that the caller sees that something was tested
 */
export async function agree(
  warehouse: Warehouse,
  { runs, seed }: { runs: number; seed: number },
): Promise<number> {
  let members = 0;
  let asked = 0;
  // Two of them together are put another way than one: what is narrow is asked first.
  const both = fc.tuple(segmentArbitrary, segmentArbitrary).map((all): Segment => ({ all }));
  const written = fc.oneof({ weight: 2, arbitrary: segmentArbitrary }, both);
  await fc.assert(
    fc.asyncProperty(
      worldArbitrary,
      fc.array(written, { minLength: 4, maxLength: 6 }),
      async (world, segments) => {
        const placed = await place(warehouse, world);
        await Promise.all(
          segments.map(async (each) => {
            expect(checkSegment(each).problems).toEqual([]);
            expect(segmentSchema.safeParse(each).success).toBe(true);
            const segment = resolvedSegment(each, named);
            const found = await membersOf(warehouse, segment, placed);
            expect(found).toEqual(expectedOf(segment, placed));
            members += found.length;
            asked += placed.facts.length;
          }),
        );
      },
    ),
    { numRuns: runs, endOnFailure: false, seed },
  );
  return members / asked;
}
