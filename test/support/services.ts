import { existsSync, mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestProject } from 'vitest/node';
import { isRunning } from '../../bin/config.ts';
import { ensureDatabase } from '../../bin/postgres.ts';
import { loadSecrets } from '../../bin/secrets.ts';
import { supervisorFile } from '../../bin/supervisor/files.ts';
import { resetFolder } from '../../bin/supervisor/folder.ts';
import { processDefinitions, startStack } from '../../bin/supervisor/stack.ts';
import { migrate } from '../../store/migrate.ts';
import { connectPostgres } from '../../store/postgres.ts';

/** What {@link ./stack.ts} needs to give each suite a database of its own. */
export interface TestPostgres {
  port: number;
  /** The role `kairos`, which owns the databases. */
  password: string;
  superuserPassword: string;
}

declare module 'vitest' {
  export interface ProvidedContext {
    postgres: TestPostgres;
  }
}

export const TEST_FOLDER_PREFIX = 'kairos-test-';
/** Migrated once; each suite's database is a copy of it. */
export const TEMPLATE_DATABASE = 'template_kairos';

/** Vitest's global set-up: one real PostgreSQL for all suites of the run. */
export default async function setUp(project: TestProject): Promise<() => Promise<void>> {
  await sweep();
  const dataDir = mkdtempSync(join(tmpdir(), TEST_FOLDER_PREFIX));
  const stack = await startStack({
    dataDir,
    shop: 'none',
    only: ['postgres'],
    ports: 'random',
    durable: false,
  });
  const { postgresSuperuser, postgres } = loadSecrets(dataDir);
  const port = stack.config.ports.postgres;
  await ensureDatabase(port, postgresSuperuser, postgres, TEMPLATE_DATABASE);
  const url = `postgres://kairos:${postgres.reveal()}@127.0.0.1:${port}/${TEMPLATE_DATABASE}`;
  const db = connectPostgres(url, 'test template', 1);
  await migrate(db);
  await db.end();
  project.provide('postgres', {
    port,
    password: postgres.reveal(),
    superuserPassword: postgresSuperuser.reveal(),
  });
  return async () => {
    await stack.stop();
    await removeTestFolder(dataDir);
  };
}

/** Deletes a test's data folder and its PostgreSQL cluster, which may lie elsewhere. */
export async function removeTestFolder(dataDir: string): Promise<void> {
  await resetFolder(dataDir, processDefinitions());
  rmSync(dataDir, { recursive: true, force: true });
}

/** Ends and deletes what test runs left behind that were killed. */
async function sweep(): Promise<void> {
  const now = Date.now();
  for (const name of readdirSync(tmpdir())) {
    const dataDir = join(tmpdir(), name);
    if (!name.startsWith(TEST_FOLDER_PREFIX) || isRunning(dataDir)) continue;
    // Without a supervisor's file it may be one that another run is just creating.
    const isOld = now - (statSync(dataDir, { throwIfNoEntry: false })?.mtimeMs ?? now) > 600_000;
    if (existsSync(supervisorFile(dataDir)) || isOld) await removeTestFolder(dataDir);
  }
}
