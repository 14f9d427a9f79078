import { isTimeZone } from '../../domain/local-time.ts';
import type { BoundParams } from './bound-params.ts';
import type { Warehouse } from './client.ts';

/**
 * Time zones of a segment: what differs from zone to zone is computed here, by the same time-zone data as in memory, and
 * the query only looks it up; a person whose zone is unknown has the shop's.
 */
export class SegmentZones {
  readonly shop: string;
  readonly people: readonly string[];

  constructor(shop: string, people: readonly string[] = Intl.supportedValuesOf('timeZone')) {
    this.shop = shop;
    this.people = people.filter((zone) => zone !== '' && isTimeZone(zone));
  }

  /** The number that `of` gives for the zone in a column; one constant where it is the same for all. */
  map(column: string, type: string, of: (zone: string) => number, params: BoundParams): string {
    const shop = of(this.shop);
    const others = this.people
      .map((zone) => ({ zone, value: of(zone) }))
      .filter(({ value }) => value !== shop);
    const otherwise = params.add(type, shop);
    if (others.length === 0) return otherwise;
    const zones = params.add(
      'Array(String)',
      others.map(({ zone }) => zone),
    );
    const values = params.add(
      `Array(${type})`,
      others.map(({ value }) => value),
    );
    return `transform(toString(${column}), ${zones}, ${values}, ${otherwise})`;
  }

  /** The zones by what `of` gives for them, those that give the shop's answer left out. */
  groups(of: (zone: string) => number): { value: number; zones: string[] }[] {
    const groups = new Map<number, string[]>();
    for (const zone of this.people) {
      const value = of(zone);
      if (value === of(this.shop)) continue;
      const group = groups.get(value);
      if (group) group.push(zone);
      else groups.set(value, [zone]);
    }
    return [...groups].map(([value, zones]) => ({ value, zones }));
  }
}

/** The time zones that people have, for a query that depends on them. */
export async function zonesOfPeople(warehouse: Warehouse): Promise<string[]> {
  const rows = await warehouse.query<{ zone: string }>(
    `SELECT DISTINCT time_zone AS zone FROM person WHERE time_zone != ''`,
  );
  return rows.map(({ zone }) => zone);
}
