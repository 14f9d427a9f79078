import { parseSpan } from './campaign.ts';
import { MS_PER_DAY } from './clock.ts';
import { FEATURES, featureRows } from './features.ts';
import { EVENT } from './records.ts';
import type {
  AnniversaryClause,
  EventClause,
  EventWindow,
  Segment,
  TimeSinceClause,
} from './segment.ts';
import { isMeant } from './segment-eval-events.ts';
import {
  anniversaryDate,
  DEFAULT_SHOP,
  matchesSegment,
  type PersonFacts,
  type ShopContext,
  traitOf,
} from './segment-eval.ts';
import {
  anniversaryDay,
  boundAt,
  type Bound,
  boundsOf,
  dateIn,
  dayNumber,
  dayStart,
  localDay,
  type Period,
  periodStart,
  zoneOf,
} from './segment-time.ts';
import {
  type LeafNode,
  leavesOf,
  nodeOf,
  type RowFilter,
  rowFilterOf,
  stepOf,
} from './segment-terms.ts';
import type { WarehouseRow } from './warehouse-rows.ts';

/** What a segment depends on: only new facts of these kinds, and time, can change who is in it. */
export interface SegmentDependencies {
  /** Types of events as the log has them; null: any event can change it. */
  readonly events: ReadonlySet<string> | null;
  /** Properties of those events that are looked at. */
  readonly properties: ReadonlySet<string>;
  /** Traits, built-in ones included. */
  readonly traits: ReadonlySet<string>;
  readonly scores: ReadonlySet<string>;
  readonly clusters: boolean;
  /** Names of other segments, those behind them included. */
  readonly segments: ReadonlySet<string>;
  readonly lists: ReadonlySet<string>;
  /** Whether time alone can change it. */
  readonly timeBased: boolean;
}

export function segmentDependencies(segment: Segment): SegmentDependencies {
  const found = {
    events: new Set<string>(),
    properties: new Set<string>(),
    traits: new Set<string>(),
    scores: new Set<string>(),
    lists: new Set<string>(),
  };
  const leaves = leavesOf(segment);
  let anyEvent = false;
  for (const leaf of leaves) {
    anyEvent ||=
      leaf.kind === 'feature' && FEATURES.get(leaf.clause.feature)!.formula.event === null;
    collect(leaf, found);
  }
  return {
    ...found,
    events: anyEvent ? null : found.events,
    clusters: leaves.some(({ kind }) => kind === 'cluster'),
    segments: new Set(namesIn(segment)),
    timeBased: leaves.some(isTimeBased),
  };
}

function namesIn(segment: Segment): string[] {
  const node = nodeOf(segment);
  if (node.kind === 'all' || node.kind === 'any') return node.parts.flatMap(namesIn);
  if (node.kind === 'not') return namesIn(node.part);
  if (node.kind === 'leaf') return [];
  const { segment: name, means } = node.clause;
  return [name, ...(means ? namesIn(means) : [])];
}

type Collected = Record<'events' | 'properties' | 'traits' | 'scores' | 'lists', Set<string>>;

function collect(leaf: LeafNode, into: Collected): void {
  const { kind, clause } = leaf;
  const asked = (event: string, where: EventWindow['where'], of?: string): void => {
    into.events.add(event);
    for (const name of [...Object.keys(where ?? {}), ...(of === undefined ? [] : [of])]) {
      into.properties.add(name);
    }
  };
  if (kind === 'trait') into.traits.add(clause.trait);
  else if (kind === 'event') asked(clause.event, clause.where, ofMeasure(clause));
  else if (kind === 'sequence') {
    for (const written of clause.sequence) asked(stepOf(written).event, written.where);
  } else if (kind === 'timeSince') into.traits.add(clause.timeSince);
  else if (kind === 'anniversary') into.traits.add(clause.anniversary);
  else if (kind === 'place') {
    for (const name of Object.keys(clause.place)) {
      for (const trait of name === 'near' ? ['latitude', 'longitude'] : [name]) {
        into.traits.add(trait);
      }
    }
  } else if (kind === 'feature') {
    const { event } = FEATURES.get(clause.feature)!.formula;
    if (event !== null) into.events.add(event);
  } else if (kind === 'score') into.scores.add(clause.score);
  else if (kind === 'list') {
    into.lists.add(clause.list);
    into.events.add(EVENT.listJoined).add(EVENT.listLeft);
  }
  if ('zone' in clause && clause.zone === 'person') into.traits.add('timeZone');
}

function ofMeasure({ measure = 'count', of = 'total' }: EventClause): string | undefined {
  return ['count', 'recency', 'sinceFirst'].includes(measure) || of === 'day' ? undefined : of;
}

function isTimeBased({ kind, clause }: LeafNode): boolean {
  if (kind === 'timeSince' || kind === 'anniversary') return true;
  if (kind === 'feature') {
    const { windowDays, formula } = FEATURES.get(clause.feature)!;
    return windowDays !== null || formula.kind === 'days';
  }
  if (kind === 'event') {
    const { measure } = clause;
    return measure === 'recency' || measure === 'sinceFirst' || moves(clause);
  }
  if (kind !== 'sequence') return false;
  const last = clause.sequence.at(-1)!;
  return moves(clause) || ('never' in last && last.within !== undefined);
}

/** Whether time moves a bound of the window, or still has to reach one. */
const moves = (window: EventWindow): boolean =>
  boundsOf(window).some(({ kind }) => kind === 'ago' || kind === 'period');

/**
 * The earliest time after `nowMs` at which the person enters or leaves the segment by time alone, if nothing new is
 * learnt of them; null where that never happens. Facts of the future are taken as they stand.
 */
export function nextChange(
  segment: Segment,
  facts: PersonFacts,
  nowMs: number,
  shop: ShopContext = DEFAULT_SHOP,
): number | null {
  const is = matchesSegment(segment, facts, nowMs, shop);
  const later = laterMoments(segment, facts, nowMs, shop);
  for (const time of later) if (matchesSegment(segment, facts, time, shop) !== is) return time;
  return null;
}

/** Answers of one clause over all rows that {@link nextLook} may take; some milliseconds at most. */
const LOOK_ROWS = 20_000;
const LOOKS_MAX = 64;
const LOOKS_MIN = 4;

/**
 * The same at a bounded cost: {@link nextChange}, or an earlier moment at which to look again where there are too many
 * moments to try them all. Null where nothing ever changes by time alone.
 */
export function nextLook(
  segment: Segment,
  facts: PersonFacts,
  nowMs: number,
  shop: ShopContext = DEFAULT_SHOP,
): number | null {
  const later = laterMoments(segment, facts, nowMs, shop);
  if (later.length === 0) return null;
  const is = matchesSegment(segment, facts, nowMs, shop);
  const looks = Math.floor(LOOK_ROWS / (facts.rows.length + 1));
  const tried = later.slice(0, Math.max(LOOKS_MIN, Math.min(LOOKS_MAX, looks)));
  const change = tried.find((time) => matchesSegment(segment, facts, time, shop) !== is);
  return change ?? (tried.length < later.length ? tried.at(-1)! : null);
}

function laterMoments(
  segment: Segment,
  facts: PersonFacts,
  nowMs: number,
  shop: ShopContext,
): number[] {
  const times = new Set(leavesOf(segment).flatMap((leaf) => momentsOf(leaf, facts, nowMs, shop)));
  return [...times].filter((time) => time > nowMs).sort((a, b) => a - b);
}

/** Every moment at which one clause's answer could change by time alone, and some others. */
function momentsOf(leaf: LeafNode, facts: PersonFacts, nowMs: number, shop: ShopContext): number[] {
  const { rows } = facts;
  const { kind, clause } = leaf;
  switch (kind) {
    case 'event': {
      const filter = rowFilterOf(clause.event, clause.where, clause.of);
      const aged = clause.measure === 'recency' || clause.measure === 'sinceFirst';
      const ages = aged ? [Number(clause.value) * MS_PER_DAY] : [];
      return windowMoments(clause, [filter], ages, facts, nowMs, shop);
    }
    case 'sequence': {
      const filters = clause.sequence.map((written) => {
        const { event, where } = stepOf(written);
        return rowFilterOf(event, where);
      });
      const last = clause.sequence.at(-1)!.within;
      const ages = last === undefined ? [] : [parseSpan(last)!];
      return windowMoments(clause, filters, ages, facts, nowMs, shop);
    }
    case 'feature': {
      const feature = FEATURES.get(clause.feature)!;
      const { windowDays, formula } = feature;
      // With all time ahead, every row that can ever count.
      const meant = featureRows({ ...feature, windowDays: null }, rows, Infinity);
      const spans = windowDays === null ? [] : [windowDays * MS_PER_DAY];
      if (formula.kind === 'days') spans.push(clause.value * MS_PER_DAY);
      return meant.flatMap((row) => around([row.atMs, ...spans.map((span) => row.atMs + span)]));
    }
    case 'list':
      return around(rows.filter((row) => row.atMs >= nowMs).map((row) => row.atMs));
    case 'score':
      return around(facts.scores.map((score) => score.atMs).filter((atMs) => atMs >= nowMs));
    case 'timeSince':
      return sinceMoments(clause, facts, shop);
    case 'anniversary':
      return anniversaryMoments(clause, facts, nowMs, shop);
    case 'trait':
    case 'place':
    case 'cluster':
    case 'random':
      return [];
    default:
      return leaf satisfies never;
  }
}

/** A comparison with a number of days may turn a millisecond before or after it. */
const around = (times: readonly number[]): number[] =>
  times.flatMap((time) => [-1, 0, 1, 2].map((by) => Math.floor(time) + by));

/** Calendar periods ahead after which a bound has passed all events of now. */
const PERIODS_AHEAD = 3;

function windowMoments(
  window: EventWindow,
  filters: readonly RowFilter[],
  ages: readonly number[],
  { person, rows }: PersonFacts,
  nowMs: number,
  shop: ShopContext,
): number[] {
  const zone = zoneOf(window.zone, person.timeZone, shop.timeZone);
  const bounds = boundsOf(window);
  const spans = [...ages, ...bounds.flatMap((bound) => (bound.kind === 'ago' ? [bound.ms] : []))];
  const meant = rows.filter((row) => filters.some((filter) => isMeant(filter, row)));
  // A row comes into sight a moment after it happened, ages, and leaves or enters a window that moves along.
  const ofRows = meant.flatMap((row: WarehouseRow) =>
    around([row.atMs, ...spans.map((span) => row.atMs + span)]),
  );
  const newest = Math.max(nowMs, ...meant.map((row) => row.atMs));
  return [...ofRows, ...bounds.flatMap((bound) => boundMoments(bound, nowMs, newest, zone))];
}

/** When a calendar bound moves: until it has passed the newest event. */
function boundMoments(bound: Bound, nowMs: number, newestMs: number, zone: string): number[] {
  if (bound.kind !== 'period') return [];
  const moments: number[] = [];
  const today = localDay(nowMs, zone);
  const current = bound.period.replace('last-', 'this-').replace('yesterday', 'today') as Period;
  for (let later = 1; ; later += 1) {
    const at = dayStart(periodStart(current, today, later), zone);
    moments.push(at);
    const passed = boundAt(bound, at, zone) > newestMs;
    if ((passed && later >= PERIODS_AHEAD) || later > MOMENTS_MAX) return moments;
  }
}

/** Only events far in the future would need more, and those are looked at again when they come. */
const MOMENTS_MAX = 1_000;

function sinceMoments(
  clause: TimeSinceClause,
  { person }: PersonFacts,
  shop: ShopContext,
): number[] {
  if (clause.timeSince === 'createdAt') {
    return around([person.createdAtMs + clause.value * MS_PER_DAY]);
  }
  const date = dateIn(traitOf(person, clause.timeSince));
  if (!date) return [];
  const zone = zoneOf(clause.zone, person.timeZone, shop.timeZone);
  const day = dayNumber(date.year, date.month, date.day)! + Math.floor(clause.value);
  return [day, day + 1].map((each) => dayStart(each, zone));
}

/** Years ahead in which an anniversary certainly comes, and goes. */
const YEARS_AHEAD = 2;

function anniversaryMoments(
  clause: AnniversaryClause,
  { person }: PersonFacts,
  nowMs: number,
  shop: ShopContext,
): number[] {
  const date = anniversaryDate(clause, person, shop.timeZone);
  if (!date) return [];
  const zone = zoneOf(clause.zone, person.timeZone, shop.timeZone);
  const { daysBefore = 0, daysAfter = 0 } = clause;
  const thisYear = new Date(localDay(nowMs, zone) * MS_PER_DAY).getUTCFullYear();
  const first = Math.max(thisYear - 1, date.year + 1);
  return Array.from({ length: YEARS_AHEAD + 2 }, (_, index) => anniversaryDay(date, first + index))
    .flatMap((day) => [day - daysBefore, day + daysAfter + 1])
    .map((day) => dayStart(day, zone));
}
