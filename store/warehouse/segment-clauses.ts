import { MS_PER_DAY } from '../../domain/clock.ts';
import { FEATURES } from '../../domain/features.ts';
import type {
  AnniversaryClause,
  FeatureClause,
  PlaceClause,
  RandomClause,
  ScoreClause,
  TimeSinceClause,
} from '../../domain/segment.ts';
import { EARTH_KM, shareOf } from '../../domain/segment-eval.ts';
import { isLeapYear, localDay } from '../../domain/segment-time.ts';
import {
  type BuiltInTrait,
  BUILT_IN_TRAITS,
  isBuiltInTrait,
  type LeafNode,
  listOf,
} from '../../domain/segment-terms.ts';
import { BoundParams } from './bound-params.ts';
import { featureSql } from './features.ts';
import { type ClauseSql, EventCompiler } from './segment-events.ts';
import {
  comparisonSql,
  type KindSql,
  measuredSql,
  ORDER_SIGN,
  textColumn,
  type ValueSql,
} from './segment-values.ts';
import type { SegmentZones } from './segment-zones.ts';

const COLUMN_OF_TRAIT = {
  country: 'country',
  timeZone: 'time_zone',
  locale: 'locale',
  externalId: 'external_id',
  consent: 'consent',
  hasAddress: 'has_address',
} as const satisfies Record<BuiltInTrait, string>;

/**
 * One clause after the other, with what each needs of the tables: at most one subquery a table for all of them. Names
 * of columns come from registries; all that a person wrote is a bound parameter.
 */
export class ClauseCompiler {
  readonly params = new BoundParams();
  /** Where clauses over events go; `apart` puts some into a subquery of their own. */
  events: EventCompiler;
  /** Columns of `person`. */
  readonly traitColumns = new Set<string>();
  readonly models = new Map<string, string>();
  usesClusters = false;
  readonly now: string;
  readonly #nowMs: number;
  readonly #zones: SegmentZones;

  constructor(nowMs: number, zones: SegmentZones) {
    // The shop's clock may give fractions, which the warehouse's times do not have.
    this.#nowMs = Math.ceil(nowMs);
    this.#zones = zones;
    this.now = this.params.instant(this.#nowMs);
    this.events = new EventCompiler(this.params, this.#nowMs, zones);
  }

  /** Compiles what `work` does into a set of aggregates of its own, over the same parameters. */
  apart<T>(work: (events: EventCompiler) => T): T {
    const { events } = this;
    this.events = new EventCompiler(this.params, this.#nowMs, this.#zones);
    try {
      return work(this.events);
    } finally {
      this.events = events;
    }
  }

  compile(node: LeafNode): ClauseSql {
    switch (node.kind) {
      case 'trait': {
        const value = this.#trait(node.clause.trait);
        const holds = comparisonSql(value, node.clause, this.params);
        return { holds, measured: measuredSql(value) };
      }
      case 'event':
        return this.events.event(node.clause);
      case 'sequence':
        return this.events.sequence(node.clause);
      case 'list':
        return this.events.list(node.clause);
      case 'timeSince':
        return this.#timeSince(node.clause);
      case 'anniversary':
        return this.#anniversary(node.clause);
      case 'place':
        return this.#place(node.clause);
      case 'feature':
        return this.#feature(node.clause);
      case 'score':
        return this.#score(node.clause);
      case 'cluster': {
        this.usesClusters = true;
        const names = this.params.add('Array(String)', listOf(node.clause.cluster)!);
        return {
          holds: `(c.name IN ${names})`,
          measured: `if(c.name = '', 'null', toJSONString(c.name))`,
        };
      }
      case 'random':
        return this.#random(node.clause);
      default:
        return node satisfies never;
    }
  }

  /** The newest score of a model; `has` is 0 where there is none. */
  scoreOf(model: string): { has: string; value: string } {
    const index = this.models.size;
    const known = this.models.get(model) ?? `s${index}`;
    this.models.set(model, known);
    return { has: `(s.${known}_n > 0)`, value: `s.${known}` };
  }

  #score(clause: ScoreClause): ClauseSql {
    const { has, value } = this.scoreOf(clause.score);
    const bound = this.params.add('Float64', clause.value);
    return {
      holds: `(${has} AND ${value} ${ORDER_SIGN[clause.is]} ${bound})`,
      measured: `if(${has}, toJSONString(${value}), 'null')`,
    };
  }

  #feature(clause: FeatureClause): ClauseSql {
    const { events, params } = this;
    const nowMs = this.#nowMs;
    const value = featureSql(FEATURES.get(clause.feature)!, {
      params,
      asOfMs: nowMs,
      aggregate: (expression) => events.aggregate(expression),
      rows(condition) {
        const rows = `(line = 0${condition === '' ? '' : ` AND ${condition}`})`;
        events.conditions.add(rows);
        return rows;
      },
    });
    const number = `toFloat64(${value})`;
    const bound = params.add('Float64', clause.value);
    return {
      holds: `(NOT isNaN(${number}) AND ${number} ${ORDER_SIGN[clause.is]} ${bound})`,
      measured: `if(isNaN(${number}), 'null', toJSONString(${number}))`,
    };
  }

  #random(clause: RandomClause): ClauseSql {
    const salt = this.params.add('String', `${clause.random}\u001f`);
    const draw = `(sipHash64(concat(${salt}, toString(p.person_id))) % 10000)`;
    const { from, to } = shareOf(clause);
    return {
      holds: `(${draw} >= ${this.params.add('UInt32', from)} AND ${draw} < ${this.params.add('UInt32', to)})`,
      measured: `toString(${draw} / 100)`,
    };
  }

  /** The name of a shop's own trait is a bound key of a map. */
  #trait(trait: string): ValueSql {
    if (isBuiltInTrait(trait)) {
      const column = COLUMN_OF_TRAIT[trait];
      this.traitColumns.add(column);
      return BUILT_IN_TRAITS[trait] === 'text'
        ? { text: textColumn(`p.${column}`) }
        : { flag: { has: '1', value: `p.${column}` } };
    }
    const key = this.params.add('String', trait);
    const kind = (map: string): KindSql => {
      this.traitColumns.add(map);
      return { has: `mapContains(p.${map}, ${key})`, value: `p.${map}[${key}]` };
    };
    return { text: kind('text_traits'), number: kind('number_traits'), flag: kind('flag_traits') };
  }

  /** A date at the beginning of a trait's text: whether there is one, its text, and its day's number since 1970. */
  #date(trait: string): { has: string; text: string; year: string; day: string } {
    if (trait === 'createdAt') {
      this.traitColumns.add('created_at');
      const zone = this.params.add('String', this.#zones.shop);
      const date = `toDate32(toTimeZone(p.created_at, ${zone}))`;
      return {
        has: '1',
        text: `toString(${date})`,
        year: `toYear(${date})`,
        day: `toInt32(${date})`,
      };
    }
    const { text } = this.#trait(trait);
    const value = text!.value;
    const part = (type: string, from: number, length: number): string =>
      `to${type}OrZero(substring(${value}, ${from}, ${length}))`;
    const [year, month, day] = [part('UInt16', 1, 4), part('UInt8', 6, 2), part('UInt8', 9, 2)];
    const date = `makeDate32(${year}, ${month}, ${day})`;
    // What is no date becomes the first of 1970.
    const isDate = `toYear(${date}) = ${year} AND toMonth(${date}) = ${month} AND toDayOfMonth(${date}) = ${day}`;
    return {
      has: `(${text!.has} AND match(${value}, '^[0-9]{4}-[0-9]{2}-[0-9]{2}([^0-9]|$)') AND ${year} >= 1900 AND ${year} <= 2299 AND ${isDate})`,
      text: value,
      year,
      day: `toInt32(${date})`,
    };
  }

  #timeSince(clause: TimeSinceClause): ClauseSql {
    const bound = this.params.add('Float64', clause.value);
    const sign = ORDER_SIGN[clause.is];
    if (clause.timeSince === 'createdAt') {
      this.traitColumns.add('created_at');
      const now = this.params.add('Int64', this.#nowMs);
      const days = `((${now} - toUnixTimestamp64Milli(p.created_at)) / ${MS_PER_DAY})`;
      return { holds: `(${days} ${sign} ${bound})`, measured: `toJSONString(${days})` };
    }
    const { has, day } = this.#date(clause.timeSince);
    const days = `(${this.#today(clause)} - ${day})`;
    return {
      holds: `(${has} AND ${days} ${sign} ${bound})`,
      measured: `if(${has}, toJSONString(${days}), 'null')`,
    };
  }

  #today({ zone }: { zone?: 'shop' | 'person' }): string {
    const today = (of: string): number => localDay(this.#nowMs, of);
    if (zone !== 'person') return this.params.add('Int32', today(this.#zones.shop));
    this.traitColumns.add('time_zone');
    return this.#zones.map('p.time_zone', 'Int32', today, this.params);
  }

  #anniversary(clause: AnniversaryClause): ClauseSql {
    const { has, text, year } = this.#date(clause.anniversary);
    const on = (today: number): string => {
      const { keys, years } = anniversariesAround(today, clause);
      const of = `transform(substring(${text}, 6, 5), ${this.params.add('Array(String)', keys)}, ${this.params.add('Array(UInt16)', years)}, toUInt16(0))`;
      return `(${year} < ${of})`;
    };
    const today = (zone: string): number => localDay(this.#nowMs, zone);
    let is = on(today(this.#zones.shop));
    const groups = clause.zone === 'person' ? this.#zones.groups(today) : [];
    if (groups.length > 0) {
      this.traitColumns.add('time_zone');
      const cases = groups.map(
        ({ value, zones }) =>
          `p.time_zone IN ${this.params.add('Array(String)', zones)}, ${on(value)}`,
      );
      is = `multiIf(${cases.join(', ')}, ${is})`;
    }
    return {
      holds: `(${has} AND ${is})`,
      measured: `if(${has}, toJSONString(substring(${text}, 1, 10)), 'null')`,
    };
  }

  #place({ place }: PlaceClause): ClauseSql {
    const texts = (['country', 'region', 'city'] as const).map((name) => ({
      text: this.#trait(name).text!,
      wanted: listOf(place[name]),
    }));
    const conditions = texts
      .filter(({ wanted }) => wanted !== undefined)
      .map(({ text, wanted }) =>
        comparisonSql({ text }, { is: 'in', value: wanted! }, this.params),
      );
    if (!place.near) {
      const found = texts.map(({ text }) => text.value).join(', ');
      const named = `arrayStringConcat(arrayFilter(x -> x != '', [${found}]), ', ')`;
      return {
        holds: `(${conditions.join(' AND ')})`,
        measured: `if(${named} = '', 'null', toJSONString(${named}))`,
      };
    }
    const [latitude, longitude] = ['latitude', 'longitude'].map(
      (name) => this.#trait(name).number!,
    );
    const has = `(${latitude!.has} AND ${longitude!.has})`;
    const degrees = (value: number): string => this.params.add('Float64', value);
    const half = (of: string): string => `pow(sin((${of}) * pi() / 360), 2)`;
    const cosine = (of: string): string => `cos(${of} * pi() / 180)`;
    const [lat, lon] = [degrees(place.near.latitude), degrees(place.near.longitude)];
    const a = `${half(`${latitude!.value} - ${lat}`)} + ${cosine(lat)} * ${cosine(latitude!.value)} * ${half(`${longitude!.value} - ${lon}`)}`;
    const km = `(2 * ${EARTH_KM} * asin(least(1, sqrt(${a}))))`;
    conditions.push(`(${has} AND ${km} <= ${degrees(place.near.km)})`);
    return {
      holds: `(${conditions.join(' AND ')})`,
      measured: `if(${has}, toJSONString(${km}), 'null')`,
    };
  }
}

/** Month and day of each date whose anniversary is near `today`, and the year of that anniversary. */
function anniversariesAround(
  today: number,
  { daysBefore = 0, daysAfter = 0 }: AnniversaryClause,
): { keys: string[]; years: number[] } {
  const years = new Map<string, number>();
  for (let day = today - daysAfter; day <= today + daysBefore; day += 1) {
    const date = new Date(day * MS_PER_DAY);
    const [year, key] = [date.getUTCFullYear(), date.toISOString().slice(5, 10)];
    years.set(key, year);
    if (key === '02-28' && !isLeapYear(year)) years.set('02-29', year);
  }
  return { keys: [...years.keys()], years: [...years.values()] };
}
