import { MS_PER_DAY } from '../../domain/clock.ts';
import { EVENT } from '../../domain/records.ts';
import type { EventClause, EventWindow, ListClause, SequenceClause } from '../../domain/segment.ts';
import { boundAt, isZoned, parseBound } from '../../domain/segment-time.ts';
import {
  type EventProperty,
  isEventProperty,
  listFilterOf,
  type PropertyTest,
  type RowFilter,
  rowFilterOf,
  stepOf,
} from '../../domain/segment-terms.ts';
import type { BoundParams } from './bound-params.ts';
import {
  comparisonSql,
  type KindSql,
  measuredSql,
  ORDER_SIGN,
  textColumn,
  type ValueSql,
} from './segment-values.ts';
import type { SegmentZones } from './segment-zones.ts';

/** A clause in SQL: whether it holds (never null), and what was measured, as JSON text. */
export interface ClauseSql {
  readonly holds: string;
  readonly measured: string;
}

/** A person's time zone beside each of their events, where a window needs it. */
const EVENT_ZONE = 'z.time_zone';

const PROPERTY_COLUMN = {
  category: 'category',
  sku: 'sku',
  campaign: 'campaign',
  orderId: 'order_id',
} as const satisfies Partial<Record<EventProperty, string>>;

/** Clauses over events: all of them are aggregates of one pass over the rows that any of them means. */
export class EventCompiler {
  /** Aggregates by expression; each has a name that is unique in the whole query. */
  readonly columns = new Map<string, string>();
  /** Which rows are needed at all. */
  readonly conditions = new Set<string>();
  /** Whether a row needs its person's time zone. */
  usesZones = false;
  readonly #params: BoundParams;
  readonly #nowMs: number;
  readonly #zones: SegmentZones;

  constructor(params: BoundParams, nowMs: number, zones: SegmentZones) {
    this.#params = params;
    this.#nowMs = nowMs;
    this.#zones = zones;
  }

  aggregate(expression: string): string {
    const known = this.columns.get(expression) ?? `e${this.columns.size}`;
    this.columns.set(expression, known);
    return known;
  }

  /** Which rows a filter and a window mean, as a condition. */
  rows({ types, tests, sign }: RowFilter, window: EventWindow): string {
    const params = this.#params;
    const type =
      types.length === 1
        ? `type = ${params.add('String', types[0])}`
        : `type IN ${params.add('Array(String)', types)}`;
    const parts = [
      type,
      ...tests.map(({ property, test }: PropertyTest) =>
        comparisonSql(this.property(property, sign), test, params),
      ),
      ...this.#window(window),
      'machine = 0',
    ];
    const condition = `(${parts.join(' AND ')})`;
    this.conditions.add(condition);
    return condition;
  }

  #window(window: EventWindow): string[] {
    const since = window.within ?? window.since;
    return [
      ...(since === undefined ? [] : [this.#bound('>=', since, window)]),
      ...(window.before === undefined ? [] : [this.#bound('<', window.before, window)]),
    ];
  }

  #bound(sign: '>=' | '<', text: string, window: EventWindow): string {
    const bound = parseBound(text)!;
    const at = (zone: string): number => boundAt(bound, this.#nowMs, zone);
    if (!isZoned({ ...(window.zone ? { zone: window.zone } : {}), since: text })) {
      return `at ${sign} ${this.#params.instant(at(this.#zones.shop))}`;
    }
    this.usesZones = true;
    const ms = this.#zones.map(EVENT_ZONE, 'Int64', at, this.#params);
    // The widest of them first: the table is read by time.
    const all = [this.#zones.shop, ...this.#zones.people].map(at);
    const widest = this.#params.instant(sign === '<' ? Math.max(...all) : Math.min(...all));
    return `at ${sign} ${widest} AND at ${sign} fromUnixTimestamp64Milli(${ms}, 'UTC')`;
  }

  property(name: string, sign: 1 | -1): ValueSql {
    if (!isEventProperty(name)) {
      const key = this.#params.add('String', name);
      const kind = (map: string): KindSql => ({
        has: `mapContains(${map}, ${key})`,
        value: `${map}[${key}]`,
      });
      return {
        text: kind('text_properties'),
        number: kind('number_properties'),
        flag: kind('flag_properties'),
      };
    }
    const minus = sign < 0 ? '-' : '';
    if (name === 'total') return { number: { has: '1', value: `toFloat64(${minus}amount)` } };
    if (name === 'quantity') return { number: { has: '1', value: `toFloat64(${minus}quantity)` } };
    if (name === 'rating') return { number: { has: '(rating > 0)', value: 'toFloat64(rating)' } };
    return { text: textColumn(PROPERTY_COLUMN[name]) };
  }

  event(clause: EventClause): ClauseSql {
    const { measure = 'count', of = 'total' } = clause;
    const filter = rowFilterOf(clause.event, clause.where, clause.of);
    const rows = this.rows(filter, clause);
    if (measure === 'recency' || measure === 'sinceFirst') return this.#recency(clause, rows);
    if (measure === 'min' || measure === 'max' || measure === 'first' || measure === 'last') {
      return this.#extreme(clause, filter, rows);
    }
    const value = `toFloat64(${this.#amount(measure, of, filter, rows)})`;
    const bound = this.#params.add('Float64', clause.value);
    const sign = ORDER_SIGN[clause.is as keyof typeof ORDER_SIGN];
    return { holds: `(${value} ${sign} ${bound})`, measured: `toJSONString(${value})` };
  }

  /** Counts and sums: 0 where there is nothing. */
  #amount(
    measure: 'count' | 'sum' | 'distinct',
    of: string,
    filter: RowFilter,
    rows: string,
  ): string {
    if (measure === 'count') {
      return this.aggregate(filter.byOrder ? `uniqExactIf(event_id, ${rows})` : `countIf(${rows})`);
    }
    if (measure === 'distinct') {
      if (of === 'day') {
        const zone = this.#params.add('String', this.#zones.shop);
        return this.aggregate(`uniqExactIf(toDate32(toTimeZone(at, ${zone})), ${rows})`);
      }
      const text = this.property(of, filter.sign).text!;
      return this.aggregate(`uniqExactIf(${text.value}, ${rows} AND ${text.has})`);
    }
    const minus = filter.sign < 0 ? '-' : '';
    // Decimals and whole numbers add up exactly, doubles do not.
    if (of === 'total') return minus + this.aggregate(`sumIf(amount, ${rows})`);
    if (of === 'quantity') return minus + this.aggregate(`sumIf(quantity, ${rows})`);
    const number = this.property(of, filter.sign).number!;
    return this.aggregate(`sumIf(${number.value}, ${rows} AND ${number.has})`);
  }

  #recency(clause: EventClause, rows: string): ClauseSql {
    const has = `(${this.aggregate(`countIf(${rows})`)} > 0)`;
    const pick = clause.measure === 'recency' ? 'maxIf' : 'minIf';
    const then = this.aggregate(`toUnixTimestamp64Milli(${pick}(at, ${rows}))`);
    const days = `((${this.#params.add('Int64', this.#nowMs)} - ${then}) / ${MS_PER_DAY})`;
    const bound = this.#params.add('Float64', clause.value);
    return {
      holds: `(${has} AND ${days} ${ORDER_SIGN[clause.is as keyof typeof ORDER_SIGN]} ${bound})`,
      measured: `if(${has}, toJSONString(${days}), 'null')`,
    };
  }

  /** The smallest, largest, first or last value of a property; false where no event has it. */
  #extreme(clause: EventClause, filter: RowFilter, rows: string): ClauseSql {
    const kinds = this.property(clause.of ?? 'total', filter.sign);
    const isText = typeof clause.value !== 'number';
    const kind = isText ? kinds.text : kinds.number;
    if (!kind) return { holds: '0', measured: `'null'` };
    const found = `${rows} AND ${kind.has}`;
    const has = `(${this.aggregate(`countIf(${found})`)} > 0)`;
    const pick = {
      min: `minIf(${kind.value}, ${found})`,
      max: `maxIf(${kind.value}, ${found})`,
      first: `argMinIf(${kind.value}, (at, event_id, line), ${found})`,
      last: `argMaxIf(${kind.value}, (at, event_id, line), ${found})`,
    }[clause.measure as 'min' | 'max' | 'first' | 'last'];
    const picked: KindSql = { has, value: this.aggregate(pick) };
    const value: ValueSql = isText ? { text: picked } : { number: picked };
    return { holds: comparisonSql(value, clause, this.#params), measured: measuredSql(value) };
  }

  list(clause: ListClause): ClauseSql {
    const rows = this.rows(listFilterOf(clause.list), {});
    const has = `(${this.aggregate(`countIf(${rows})`)} > 0)`;
    const joined = `type = ${this.#params.add('String', EVENT.listJoined)}`;
    const is = this.aggregate(`argMaxIf(${joined}, (at, event_id, line), ${rows})`);
    return {
      holds: `(${has} AND ${is} = 1)`,
      measured: `multiIf(NOT ${has}, 'null', ${is} = 1, 'true', 'false')`,
    };
  }

  /** The times that the steps have reached, step by step: the same walk as `stepsDone` of the domain. */
  sequence(clause: SequenceClause): ClauseSql {
    const stages: { reached: string; index: number }[] = [];
    let reached = '';
    let barred = '';
    clause.sequence.forEach((written, index) => {
      const step = stepOf(written);
      const rows = this.rows(rowFilterOf(step.event, step.where), clause);
      const times = this.aggregate(`groupArrayIf(toUnixTimestamp64Milli(at), ${rows})`);
      const span = step.withinMs === null ? '' : this.#params.add('Int64', step.withinMs);
      if (index === 0) reached = times;
      else if (!step.never) {
        const soon = span === '' ? '' : ` AND t - b <= ${span}`;
        const between =
          barred === '' ? '' : ` AND NOT arrayExists(n -> n > b AND n < t, ${barred})`;
        reached = `arrayFilter(t -> arrayExists(b -> b < t${soon}${between}, ${reached}), ${times})`;
        barred = '';
      } else if (index < clause.sequence.length - 1) {
        barred = times;
        return;
      } else {
        const now = this.#params.add('Int64', this.#nowMs);
        const over = span === '' ? '' : `b + ${span} < ${now} AND `;
        const until = span === '' ? '' : ` AND n <= b + ${span}`;
        reached = `arrayFilter(b -> ${over}NOT arrayExists(n -> n > b${until}, ${times}), ${reached})`;
      }
      stages.push({ reached, index });
    });
    const done = stages.map(({ reached: times, index }) => `empty(${times}), ${index}`).join(', ');
    return {
      holds: `notEmpty(${reached})`,
      measured: `toString(multiIf(${done}, ${clause.sequence.length}))`,
    };
  }
}
