import { MS_PER_DAY } from './clock.ts';
import { FEATURES, featureOf } from './features.ts';
import type { TraitValue } from './records.ts';
import { compare, compareValues } from './segment-compare.ts';
import { type EventView, isListed, measureEvent, stepsDone } from './segment-eval-events.ts';
import { drawOf } from './segment-hash.ts';
import type {
  AnniversaryClause,
  PlaceClause,
  RandomClause,
  Segment,
  TimeSinceClause,
} from './segment.ts';
import {
  anniversaryDay,
  type CivilDate,
  dateIn,
  dayNumber,
  localDay,
  zoneOf,
} from './segment-time.ts';
import { isBuiltInTrait, type LeafNode, listOf, meaningOf, nodeOf } from './segment-terms.ts';
import type { Measured } from './segment-words.ts';
import type { WarehousePerson, WarehouseRow } from './warehouse-rows.ts';

/** All that a segment can ask of one person. */
export interface PersonFacts {
  readonly person: WarehousePerson;
  readonly rows: readonly WarehouseRow[];
  readonly scores: readonly { model: string; atMs: number; version: number; value: number }[];
  /** The person's name in the newest clustering before now; null where it has none. */
  readonly cluster: string | null;
}

/** What a segment means in this shop. */
export interface ShopContext {
  /** IANA name of the shop's own time zone. */
  readonly timeZone: string;
}
export const DEFAULT_SHOP: ShopContext = { timeZone: 'UTC' };

/**
 * Whether the person is in the segment at `nowMs`: the same answer as the warehouse gives, without it.
 * @throws KairosError SEGMENT_UNKNOWN where a reference to another segment was not resolved
 */
export function matchesSegment(
  segment: Segment,
  facts: PersonFacts,
  nowMs: number,
  shop: ShopContext = DEFAULT_SHOP,
): boolean {
  const node = nodeOf(segment);
  switch (node.kind) {
    case 'all':
      return node.parts.every((part) => matchesSegment(part, facts, nowMs, shop));
    case 'any':
      return node.parts.some((part) => matchesSegment(part, facts, nowMs, shop));
    case 'not':
      return !matchesSegment(node.part, facts, nowMs, shop);
    case 'segment':
      return matchesSegment(meaningOf(node.clause), facts, nowMs, shop);
    case 'leaf':
      return answerClause(node.leaf, facts, nowMs, shop).holds;
    default:
      return node satisfies never;
  }
}

/** Whether one clause holds, and what was measured of the person. */
export function answerClause(
  node: LeafNode,
  facts: PersonFacts,
  atMs: number,
  shop: ShopContext = DEFAULT_SHOP,
): { holds: boolean; measured: Measured } {
  // Times of facts are whole milliseconds; the shop's clock may give fractions.
  const nowMs = Math.ceil(atMs);
  const { person, rows } = facts;
  const view: EventView = {
    rows,
    nowMs,
    personZone: person.timeZone,
    shopZone: shop.timeZone,
  };
  const compared = (measured: number | null, is: Parameters<typeof compare>[1], value: number) => ({
    holds: measured !== null && !Number.isNaN(measured) && compare(measured, is, value),
    measured: measured !== null && Number.isNaN(measured) ? null : measured,
  });
  switch (node.kind) {
    case 'trait': {
      const measured = traitOf(person, node.clause.trait);
      return { holds: compareValues(node.clause.is, measured, node.clause.value), measured };
    }
    case 'event': {
      const measured = measureEvent(node.clause, view);
      return { holds: compareValues(node.clause.is, measured, node.clause.value), measured };
    }
    case 'sequence': {
      const measured = stepsDone(node.clause, view);
      return { holds: measured === node.clause.sequence.length, measured };
    }
    case 'timeSince':
      return compared(timeSince(node.clause, view, person), node.clause.is, node.clause.value);
    case 'anniversary':
      return anniversary(node.clause, view, person);
    case 'place':
      return place(node.clause, person);
    case 'feature': {
      const { feature, is, value } = node.clause;
      return compared(featureOf(FEATURES.get(feature)!, rows, nowMs), is, value);
    }
    case 'score': {
      const score = newestScore(facts, node.clause.score, nowMs);
      return compared(score, node.clause.is, node.clause.value);
    }
    case 'cluster': {
      const measured = facts.cluster;
      return {
        holds: measured !== null && listOf(node.clause.cluster)!.includes(measured),
        measured,
      };
    }
    case 'list': {
      const measured = isListed(node.clause, view);
      return { holds: measured === true, measured };
    }
    case 'random':
      return random(node.clause, person.personId);
    default:
      return node satisfies never;
  }
}

export function newestScore(facts: PersonFacts, model: string, nowMs: number): number | null {
  const known = facts.scores
    .filter((score) => score.model === model && score.atMs < nowMs)
    .sort((a, b) => a.atMs - b.atMs || a.version - b.version);
  return known.at(-1)?.value ?? null;
}

/** The trait's value; null where it is not known. An empty built-in text is not known. */
export function traitOf(person: WarehousePerson, name: string): TraitValue {
  if (!isBuiltInTrait(name)) {
    return Object.hasOwn(person.traits, name) ? (person.traits[name] ?? null) : null;
  }
  const value = person[name];
  return value === '' ? null : value;
}

function timeSince(
  clause: TimeSinceClause,
  view: EventView,
  person: WarehousePerson,
): number | null {
  if (clause.timeSince === 'createdAt') return (view.nowMs - person.createdAtMs) / MS_PER_DAY;
  const date = dateIn(traitOf(person, clause.timeSince));
  if (!date) return null;
  const zone = zoneOf(clause.zone, view.personZone, view.shopZone);
  return localDay(view.nowMs, zone) - dayNumber(date.year, date.month, date.day)!;
}

/** The date whose anniversaries are meant; null where it is not known. */
export function anniversaryDate(
  clause: AnniversaryClause,
  person: WarehousePerson,
  shopZone: string,
): CivilDate | null {
  if (clause.anniversary !== 'createdAt') return dateIn(traitOf(person, clause.anniversary));
  const created = new Date(localDay(person.createdAtMs, shopZone) * MS_PER_DAY);
  return dateIn(created.toISOString());
}

function anniversary(
  clause: AnniversaryClause,
  view: EventView,
  person: WarehousePerson,
): { holds: boolean; measured: Measured } {
  const date = anniversaryDate(clause, person, view.shopZone);
  if (!date) return { holds: false, measured: null };
  const today = localDay(view.nowMs, zoneOf(clause.zone, view.personZone, view.shopZone));
  const thisYear = new Date(today * MS_PER_DAY).getUTCFullYear();
  const { daysBefore = 0, daysAfter = 0 } = clause;
  const holds = [thisYear - 1, thisYear, thisYear + 1].some((year) => {
    const day = anniversaryDay(date, year);
    return year > date.year && day - daysBefore <= today && today <= day + daysAfter;
  });
  const two = (n: number): string => String(n).padStart(2, '0');
  return { holds, measured: `${date.year}-${two(date.month)}-${two(date.day)}` };
}

function place(
  { place: wanted }: PlaceClause,
  person: WarehousePerson,
): { holds: boolean; measured: Measured } {
  const found = ['country', 'region', 'city'].map((name) => traitOf(person, name));
  const texts = found.map((text) => (typeof text === 'string' ? text : ''));
  const among = [wanted.country, wanted.region, wanted.city].every(
    (list, index) =>
      list === undefined || (texts[index] !== '' && listOf(list)!.includes(texts[index]!)),
  );
  const km = wanted.near ? distanceKm(person, wanted.near) : null;
  const near = wanted.near === undefined || (km !== null && km <= wanted.near.km);
  return {
    holds: among && near,
    measured: wanted.near ? km : texts.filter(Boolean).join(', ') || null,
  };
}

/** The earth's mean radius (IUGG), of a sphere that is wrong by at most 0.6 %. */
export const EARTH_KM = 6_371.0088;

function distanceKm(
  person: WarehousePerson,
  to: { latitude: number; longitude: number },
): number | null {
  const [latitude, longitude] = [traitOf(person, 'latitude'), traitOf(person, 'longitude')];
  if (typeof latitude !== 'number' || typeof longitude !== 'number') return null;
  const half = (degrees: number): number => Math.sin((degrees * Math.PI) / 360) ** 2;
  const cosine = (degrees: number): number => Math.cos((degrees * Math.PI) / 180);
  const a =
    half(latitude - to.latitude) +
    cosine(to.latitude) * cosine(latitude) * half(longitude - to.longitude);
  return 2 * EARTH_KM * Math.asin(Math.min(1, Math.sqrt(a)));
}

/** A share of a name in hundredths of a percent, as draws come. */
export function shareOf({ percent, from = 0 }: RandomClause): { from: number; to: number } {
  return { from: Math.round(from * 100), to: Math.round((from + percent) * 100) };
}

function random(clause: RandomClause, personId: number): { holds: boolean; measured: Measured } {
  const draw = drawOf(clause.random, personId);
  const { from, to } = shareOf(clause);
  return { holds: draw >= from && draw < to, measured: draw / 100 };
}
