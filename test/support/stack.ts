import { randomBytes } from 'node:crypto';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { inject } from 'vitest';
import type { ProcessName } from '../../bin/supervisor/definition.ts';
import { startStack, type Stack, type StackOptions } from '../../bin/supervisor/stack.ts';
import { removeTestFolder, TEMPLATE_DATABASE, TEST_FOLDER_PREFIX } from './services.ts';

/** A database for one suite, empty but for the tables. */
export interface TestDatabase {
  name: string;
  /** For `connectPostgres`; the role owns the database and is no superuser, as in production. */
  url: string;
  /** Ends all connections to it and deletes it. */
  drop(): Promise<void>;
}

/**
 * Creates a database in the run's PostgreSQL; about 0.2 s. Only in suites of the project `services`.
 * @param options.migrated false for one without tables
 */
export async function createDatabase(options: { migrated?: boolean } = {}): Promise<TestDatabase> {
  const { port, password } = inject('postgres');
  const name = `suite_${randomBytes(6).toString('hex')}`;
  const template = (options.migrated ?? true) ? TEMPLATE_DATABASE : 'template1';
  // Half the time of the default strategy for a small database without fsync.
  await asSuperuser(`create database ${name} template ${template} strategy file_copy owner kairos`);
  return {
    name,
    url: `postgres://kairos:${password}@127.0.0.1:${port}/${name}`,
    drop: () => asSuperuser(`drop database if exists ${name} with (force)`),
  };
}

async function asSuperuser(statement: string): Promise<void> {
  const { port, superuserPassword } = inject('postgres');
  const client = new pg.Client({
    host: '127.0.0.1',
    port,
    user: 'postgres',
    password: superuserPassword,
    database: 'postgres',
  });
  await client.connect();
  try {
    await client.query(statement);
  } finally {
    await client.end();
  }
}

/** Real processes in a folder and on ports of their own; `stop()` ends them and deletes the folder. */
export async function startServices(
  only: readonly ProcessName[],
  options: Omit<StackOptions, 'only' | 'ports' | 'dataDir'> = {},
): Promise<Stack> {
  const dataDir = mkdtempSync(join(tmpdir(), TEST_FOLDER_PREFIX));
  const stack = await startStack({
    durable: false,
    shop: 'none',
    ...options,
    dataDir,
    only,
    ports: 'random',
  });
  const stop = stack.stop.bind(stack);
  stack.stop = async () => {
    await stop();
    await removeTestFolder(dataDir);
  };
  return stack;
}
