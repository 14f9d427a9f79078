import type { Client } from '@temporalio/client';
import { type Db, connectPostgres } from '../../store/postgres.ts';
import type { Warehouse } from '../../store/warehouse/client.ts';
import type { Config } from '../config.ts';
import { connectTemporal } from '../temporal.ts';
import { openWarehouse } from '../warehouse-client.ts';

/** The clients that a demo, or a command, works with. */
export interface Demo {
  config: Config;
  db: Db;
  warehouse: Warehouse;
  temporal: Client;
  say(text: string): void;
  close(): Promise<void>;
}

export async function openDemo(config: Config, say: (text: string) => void): Promise<Demo> {
  const db = connectPostgres(config.database.url.reveal(), 'demo', 6);
  const warehouse = openWarehouse(config);
  const temporal = await connectTemporal(config);
  return {
    config,
    db,
    warehouse,
    temporal,
    say,
    async close() {
      await temporal.connection.close();
      await warehouse.close();
      await db.end();
    },
  };
}

/** Runs a step and says how long it took, with what it returns as its words. */
export async function step<T>(
  demo: Pick<Demo, 'say'>,
  title: string,
  work: () => Promise<T>,
  words: (result: T) => string,
): Promise<T> {
  const began = performance.now();
  const result = await work();
  const seconds = ((performance.now() - began) / 1_000).toFixed(1);
  demo.say(`  ${title.padEnd(11)} ${words(result).padEnd(56)} ${`${seconds} s`.padStart(7)}`);
  return result;
}

export const count = (n: number): string => n.toLocaleString('en-US');
