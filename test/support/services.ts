import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestProject } from 'vitest/node';
import { ensureDatabase } from '../../bin/postgres.ts';
import { loadSecrets } from '../../bin/secrets.ts';
import { readJson, stateFile, supervisorFile } from '../../bin/supervisor/files.ts';
import { resetFolder } from '../../bin/supervisor/folder.ts';
import { endProcess, identify, type ProcessIdentity } from '../../bin/supervisor/identity.ts';
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

/** Names the process that a folder belongs to, so that a later run knows which folders nobody needs any more. */
export const TEST_FOLDER_PREFIX = `kairos-test-${process.pid}-`;
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
  for (const name of readdirSync(tmpdir())) {
    const owner = /^kairos-test-(\d+)-/.exec(name)?.[1];
    if (owner === undefined || identify(Number(owner))) continue;
    const folder = join(tmpdir(), name);
    // A test of the whole program has its shops' folders one level deeper.
    for (const dataDir of [folder, ...readdirSync(folder).map((inner) => join(folder, inner))]) {
      if (!existsSync(stateFile(dataDir))) continue;
      const supervisor = readJson<ProcessIdentity>(supervisorFile(dataDir));
      if (supervisor) await endProcess(supervisor, 'SIGTERM', 20_000);
      await removeTestFolder(dataDir);
    }
    rmSync(folder, { recursive: true, force: true });
  }
}
