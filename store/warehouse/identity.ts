import type { EventMove } from '../../domain/warehouse-rows.ts';
import type { QueryParams } from './connection.ts';

/** What merges and splits of people change in the warehouse; both wait until they are done. */
export interface IdentityStatements {
  /** Gives events another person, however often it is called. */
  moveEvents(move: EventMove): Promise<void>;
  /** Forgets what is known of these people before `version`, so that they are members of nothing. */
  dropPeople(personIds: readonly number[], version: number): Promise<void>;
  /** Forgets these people, and of their events all properties but `keep`. */
  forgetPeople(personIds: readonly number[], keep: readonly string[]): Promise<void>;
}

export function identityStatements(
  command: (sql: string, params?: QueryParams) => Promise<void>,
): IdentityStatements {
  return {
    moveEvents: ({ from, to, ids, types, fromMs, toMs }) =>
      command(
        `ALTER TABLE event UPDATE person_id = {to:UInt64} WHERE type IN {types:Array(String)}
           AND at BETWEEN fromUnixTimestamp64Milli({fromMs:Int64}) AND fromUnixTimestamp64Milli({toMs:Int64})
           AND person_id = {from:UInt64} AND event_id IN {ids:Array(UInt64)} SETTINGS mutations_sync = 2`,
        { from, to, ids: [...ids], types: [...types], fromMs, toMs },
      ),
    dropPeople: (personIds, version) =>
      command(
        `ALTER TABLE person DELETE WHERE person_id IN {ids:Array(UInt64)} AND version < {version:UInt64}
           SETTINGS mutations_sync = 2`,
        { ids: [...personIds], version },
      ),
    async forgetPeople(personIds, keep) {
      const ids = [...personIds];
      for (const table of ['person', 'score', 'person_cluster']) {
        await command(
          `ALTER TABLE ${table} DELETE WHERE person_id IN {ids:Array(UInt64)} SETTINGS mutations_sync = 2`,
          { ids },
        );
      }
      const kept = (column: string): string =>
        `${column} = mapFilter((k, v) -> has({keep:Array(String)}, toString(k)), ${column})`;
      await command(
        `ALTER TABLE event UPDATE ${['text_properties', 'number_properties', 'flag_properties'].map(kept).join(', ')}
           WHERE person_id IN {ids:Array(UInt64)} SETTINGS mutations_sync = 2`,
        { ids, keep: [...keep] },
      );
    },
  };
}
