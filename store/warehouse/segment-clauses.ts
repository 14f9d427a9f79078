import { MS_PER_DAY } from '../../domain/clock.ts';
import type { EventClause, ScoreClause, TraitClause } from '../../domain/segment.ts';
import {
  type BuiltInTrait,
  BUILT_IN_TRAITS,
  type Clause,
  isBuiltInTrait,
  listOf,
  type RowFilter,
  rowFilterOf,
} from '../../domain/segment-terms.ts';

/** A clause in SQL: whether it holds (never null), and what was measured, as JSON text. */
export interface ClauseSql {
  readonly holds: string;
  readonly measured: string;
}

/** Everything that a marketer wrote becomes a bound parameter; the same value is bound once. */
export class BoundParams {
  readonly values: Record<string, unknown> = {};
  readonly #names = new Map<string, string>();

  add(type: string, value: unknown): string {
    const key = `${type} ${JSON.stringify(value)}`;
    let name = this.#names.get(key);
    if (name === undefined) {
      name = `p${this.#names.size}`;
      this.#names.set(key, name);
      this.values[name] = value;
    }
    return `{${name}:${type}}`;
  }
}

const ORDER_SIGN = { eq: '=', ne: '!=', lt: '<', le: '<=', gt: '>', ge: '>=' } as const;
const COLUMN_OF_TRAIT = {
  country: 'country',
  timeZone: 'time_zone',
  locale: 'locale',
  externalId: 'external_id',
  consent: 'consent',
  hasAddress: 'has_address',
} as const satisfies Record<BuiltInTrait, string>;

/** One clause after the other, with what each needs of the tables: at most one subquery a table for all of them. */
export class ClauseCompiler {
  readonly params = new BoundParams();
  /** Columns of `person`. */
  readonly traitColumns = new Set<string>();
  /** Aggregates of `event`, by expression. */
  readonly eventColumns = new Map<string, string>();
  /** Which rows of `event` are needed at all. */
  readonly eventConditions = new Set<string>();
  readonly models = new Map<string, string>();
  usesClusters = false;
  readonly now: string;
  readonly #nowMs: number;

  constructor(nowMs: number) {
    // The shop's clock may give fractions, which the warehouse's times do not have.
    this.#nowMs = Math.ceil(nowMs);
    this.now = this.#instant(this.#nowMs);
  }

  compile(clause: Clause): ClauseSql {
    if ('trait' in clause) return this.#trait(clause);
    if ('event' in clause) return this.#event(clause);
    if ('score' in clause) return this.#score(clause);
    this.usesClusters = true;
    const names = this.params.add('Array(String)', listOf(clause.cluster)!);
    return {
      holds: `(c.name IN ${names})`,
      measured: `if(c.name = '', 'null', toJSONString(c.name))`,
    };
  }

  #instant(ms: number): string {
    return `fromUnixTimestamp64Milli(${this.params.add('Int64', ms)}, 'UTC')`;
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

  #event(clause: EventClause): ClauseSql {
    const filter = rowFilterOf(clause);
    const condition = this.#rows(filter);
    this.eventConditions.add(condition);
    const sign = ORDER_SIGN[clause.is];
    const bound = this.params.add('Float64', clause.value);
    if (clause.measure === 'recency') {
      const has = `(${this.#aggregate(`countIf(${condition})`)} > 0)`;
      const last = this.#aggregate(`toUnixTimestamp64Milli(maxIf(at, ${condition}))`);
      const days = `((${this.params.add('Int64', this.#nowMs)} - ${last}) / ${MS_PER_DAY})`;
      return {
        holds: `(${has} AND ${days} ${sign} ${bound})`,
        measured: `if(${has}, toJSONString(${days}), 'null')`,
      };
    }
    // Only sums are negative: a count of returns is a count.
    const negative = filter.sign < 0 && clause.measure === 'sum';
    const value = `toFloat64(${negative ? '-' : ''}${this.#aggregate(amountOf(clause, filter, condition))})`;
    return { holds: `(${value} ${sign} ${bound})`, measured: `toJSONString(${value})` };
  }

  #aggregate(expression: string): string {
    const known = this.eventColumns.get(expression) ?? `e${this.eventColumns.size}`;
    this.eventColumns.set(expression, known);
    return `e.${known}`;
  }

  #rows(filter: RowFilter): string {
    const { params } = this;
    const among = (column: string, list: readonly string[] | undefined): string =>
      list === undefined ? '' : ` AND ${column} IN ${params.add('Array(String)', list)}`;
    const since =
      filter.withinMs === undefined
        ? ''
        : ` AND at >= ${this.#instant(this.#nowMs - filter.withinMs)}`;
    return `(type = ${params.add('String', filter.type)}${among('category', filter.category)}${since}${among('sku', filter.sku)}${among('campaign', filter.campaign)})`;
  }

  #trait(clause: TraitClause): ClauseSql {
    const kinds = this.#kindsOf(clause.trait);
    const known = `(${[kinds.text, kinds.number, kinds.flag].flatMap((kind) => kind?.has ?? []).join(' OR ')})`;
    const measured = [
      ...(kinds.text ? [kinds.text.has, `toJSONString(${kinds.text.value})`] : []),
      ...(kinds.number ? [kinds.number.has, `toJSONString(${kinds.number.value})`] : []),
      ...(kinds.flag ? [kinds.flag.has, `if(${kinds.flag.value} = 1, 'true', 'false')`] : []),
    ];
    return {
      holds: this.#comparison(clause, kinds, known),
      measured: `multiIf(${measured.join(', ')}, 'null')`,
    };
  }

  #comparison(clause: TraitClause, kinds: TraitSql, known: string): string {
    const { is, value } = clause;
    if (is === 'exists') return value === false ? `(NOT ${known})` : known;
    if (is === 'ne')
      return isScalar(value) ? `(${known} AND NOT ${this.#compared(kinds, '=', value)})` : '0';
    if (is === 'in')
      return Array.isArray(value) ? this.#among(kinds, value as readonly (string | number)[]) : '0';
    if (is === 'contains') {
      if (typeof value !== 'string' || !kinds.text) return '0';
      return `(${kinds.text.has} AND position(${kinds.text.value}, ${this.params.add('String', value)}) > 0)`;
    }
    if (is !== 'eq' && typeof value === 'boolean') return '0';
    return isScalar(value) ? this.#compared(kinds, ORDER_SIGN[is], value) : '0';
  }

  #compared(kinds: TraitSql, sign: string, value: string | number | boolean): string {
    const [kind, bound] =
      typeof value === 'string'
        ? [kinds.text, this.params.add('String', value)]
        : typeof value === 'number'
          ? [kinds.number, this.params.add('Float64', value)]
          : [kinds.flag, this.params.add('UInt8', value ? 1 : 0)];
    return kind ? `(${kind.has} AND ${kind.value} ${sign} ${bound})` : '0';
  }

  #among(kinds: TraitSql, values: readonly (string | number)[]): string {
    const texts = values.filter((value) => typeof value === 'string');
    const numbers = values.filter((value) => typeof value === 'number');
    const parts = [
      kinds.text && texts.length > 0
        ? `(${kinds.text.has} AND ${kinds.text.value} IN ${this.params.add('Array(String)', texts)})`
        : '0',
      kinds.number && numbers.length > 0
        ? `(${kinds.number.has} AND ${kinds.number.value} IN ${this.params.add('Array(Float64)', numbers)})`
        : '0',
    ];
    return `(${parts.join(' OR ')})`;
  }

  /** Column names come from the registry above; the name of a shop's own trait is a bound key of a map. */
  #kindsOf(trait: string): TraitSql {
    if (isBuiltInTrait(trait)) {
      const column = COLUMN_OF_TRAIT[trait];
      this.traitColumns.add(column);
      return BUILT_IN_TRAITS[trait] === 'text'
        ? { text: { has: `(p.${column} != '')`, value: `p.${column}` } }
        : { flag: { has: '1', value: `p.${column}` } };
    }
    const key = this.params.add('String', trait);
    const kind = (map: string): KindSql => {
      this.traitColumns.add(map);
      return { has: `mapContains(p.${map}, ${key})`, value: `p.${map}[${key}]` };
    };
    return { text: kind('text_traits'), number: kind('number_traits'), flag: kind('flag_traits') };
  }
}

interface KindSql {
  has: string;
  value: string;
}
interface TraitSql {
  text?: KindSql;
  number?: KindSql;
  flag?: KindSql;
}

function amountOf(clause: EventClause, filter: RowFilter, condition: string): string {
  if (clause.measure === 'sum') {
    return `sumIf(${clause.of === 'quantity' ? 'quantity' : 'amount'}, ${condition})`;
  }
  return filter.byOrder ? `uniqExactIf(event_id, ${condition})` : `countIf(${condition})`;
}

function isScalar(value: TraitClause['value']): value is string | number | boolean {
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean';
}
