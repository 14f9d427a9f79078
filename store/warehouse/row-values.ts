import type { TraitValue } from '../../domain/records.ts';
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
  'text_properties',
  'number_properties',
  'flag_properties',
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
    ...mapsOf(row.properties),
  ];
}

/** Text, numbers and flags: a map per kind of value. */
function mapsOf(values: Readonly<Record<string, TraitValue>>): [object, object, object] {
  // Without a prototype: a shop may call a property `__proto__`.
  const [texts, numbers, flags] = [1, 2, 3].map(
    () => Object.create(null) as Record<string, unknown>,
  );
  for (const [name, value] of Object.entries(values)) {
    if (typeof value === 'string') texts![name] = value;
    else if (typeof value === 'number') numbers![name] = value;
    else if (typeof value === 'boolean') flags![name] = value ? 1 : 0;
  }
  return [texts!, numbers!, flags!];
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
  return [
    person.personId,
    person.version,
    person.externalId,
    person.country,
    person.timeZone,
    person.locale,
    person.consent ? 1 : 0,
    person.hasAddress ? 1 : 0,
    ...mapsOf(person.traits),
    person.createdAtMs,
  ];
}
