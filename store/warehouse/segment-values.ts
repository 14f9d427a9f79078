import type { Comparison, Order } from '../../domain/segment.ts';
import type { BoundParams } from './bound-params.ts';

/** A value of one kind in SQL, and whether it is there; `has` is `1` where it always is. */
export interface KindSql {
  readonly has: string;
  readonly value: string;
  /** An empty text stands for "not there", so that an equal one is there. */
  readonly emptyIsMissing?: true;
}

/** A trait or a property: it may hold a text, a number or a flag. */
export interface ValueSql {
  readonly text?: KindSql;
  readonly number?: KindSql;
  readonly flag?: KindSql;
}

type Wanted = string | number | boolean | readonly (string | number)[] | undefined;

export const ORDER_SIGN = { eq: '=', ne: '!=', lt: '<', le: '<=', gt: '>', ge: '>=' } as const;

/** A column of text, where the empty one is "not known". */
export function textColumn(column: string): KindSql {
  return { has: `(${column} != '')`, value: column, emptyIsMissing: true };
}

export function knownSql(value: ValueSql): string {
  const parts = [value.text, value.number, value.flag].flatMap((kind) => kind?.has ?? []);
  return `(${parts.join(' OR ')})`;
}

/** What is there, as JSON text; `null` where nothing is. */
export function measuredSql({ text, number, flag }: ValueSql): string {
  const parts = [
    ...(text ? [text.has, `toJSONString(${text.value})`] : []),
    ...(number ? [number.has, `toJSONString(${number.value})`] : []),
    ...(flag ? [flag.has, `if(${flag.value} = 1, 'true', 'false')`] : []),
  ];
  return `multiIf(${parts.join(', ')}, 'null')`;
}

/** A comparison as `compareValues` of the domain makes it: never null, and false where the value is not there. */
export function comparisonSql(
  value: ValueSql,
  test: { readonly is: Comparison; readonly value?: Wanted },
  params: BoundParams,
): string {
  const { is, value: wanted } = test;
  const known = knownSql(value);
  if (is === 'exists') return wanted === false ? `(NOT ${known})` : known;
  if (is === 'ne') {
    if (!isScalar(wanted)) return '0';
    return `(${known} AND NOT ${comparedSql(value, 'eq', wanted, params)})`;
  }
  if (is === 'in') return Array.isArray(wanted) ? amongSql(value, wanted, params) : '0';
  if (is === 'contains') {
    if (typeof wanted !== 'string' || !value.text) return '0';
    return `(${value.text.has} AND position(${value.text.value}, ${params.add('String', wanted)}) > 0)`;
  }
  if (is !== 'eq' && typeof wanted === 'boolean') return '0';
  return isScalar(wanted) ? comparedSql(value, is, wanted, params) : '0';
}

function comparedSql(
  value: ValueSql,
  is: Exclude<Order, 'ne'>,
  wanted: string | number | boolean,
  params: BoundParams,
): string {
  const [kind, bound] =
    typeof wanted === 'string'
      ? [value.text, params.add('String', wanted)]
      : typeof wanted === 'number'
        ? [value.number, params.add('Float64', wanted)]
        : [value.flag, params.add('UInt8', wanted ? 1 : 0)];
  if (!kind) return '0';
  const comparison = `${kind.value} ${ORDER_SIGN[is]} ${bound}`;
  const surely = kind.has === '1' || (kind.emptyIsMissing && is === 'eq' && wanted !== '');
  return surely ? `(${comparison})` : `(${kind.has} AND ${comparison})`;
}

function amongSql(
  value: ValueSql,
  wanted: readonly (string | number)[],
  params: BoundParams,
): string {
  const texts = wanted.filter((item) => typeof item === 'string');
  const numbers = wanted.filter((item) => typeof item === 'number');
  const parts: string[] = [];
  if (value.text && texts.length > 0) {
    const among = `${value.text.value} IN ${params.add('Array(String)', texts)}`;
    const surely = value.text.emptyIsMissing && !texts.includes('');
    parts.push(surely ? among : `(${value.text.has} AND ${among})`);
  }
  if (value.number && numbers.length > 0) {
    const among = `${value.number.value} IN ${params.add('Array(Float64)', numbers)}`;
    parts.push(`(${value.number.has} AND ${among})`);
  }
  return parts.length === 0 ? '0' : `(${parts.join(' OR ')})`;
}

function isScalar(value: Wanted): value is string | number | boolean {
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean';
}
