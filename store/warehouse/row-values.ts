import type { WarehousePerson, WarehouseRow } from '../../domain/warehouse-rows.ts';

/** How rows stand in the body of an insert: in the order of these columns. */
export const EVENT_COLUMNS = [
  'event_id',
  'line',
  'type',
  'category',
  'at',
  'person_id',
  'sku',
  'order_id',
  'campaign',
  'amount',
  'quantity',
  'rating',
  'machine',
];

/** A whole number for a DateTime64(3) is its milliseconds. */
export function eventValues(row: WarehouseRow): unknown[] {
  return [
    row.eventId,
    row.line,
    row.type,
    row.category,
    row.atMs,
    row.personId,
    row.sku,
    row.orderId,
    row.campaign,
    row.amount / 100,
    row.quantity,
    row.rating,
    row.machine ? 1 : 0,
  ];
}

export const PERSON_COLUMNS = [
  'person_id',
  'version',
  'external_id',
  'country',
  'time_zone',
  'locale',
  'consent',
  'has_address',
  'text_traits',
  'number_traits',
  'flag_traits',
  'created_at',
];

export function personValues(person: WarehousePerson): unknown[] {
  const traits = Object.entries(person.traits);
  const ofKind = (kind: string): Record<string, unknown> =>
    Object.fromEntries(traits.filter(([, value]) => typeof value === kind));
  const flags = Object.entries(ofKind('boolean')).map(([name, value]) => [name, value ? 1 : 0]);
  return [
    person.personId,
    person.version,
    person.externalId,
    person.country,
    person.timeZone,
    person.locale,
    person.consent ? 1 : 0,
    person.hasAddress ? 1 : 0,
    ofKind('string'),
    ofKind('number'),
    Object.fromEntries(flags),
    person.createdAtMs,
  ];
}
