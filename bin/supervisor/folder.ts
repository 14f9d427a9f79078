import { existsSync, linkSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { KairosError } from '../../domain/errors.ts';
import { removeCluster } from '../postgres-home.ts';
import { isLast, type ProcessDefinition } from './definition.ts';
import {
  createDataFolder,
  readJson,
  removeRun,
  runFolder,
  supervisorFile,
  type RunRecord,
} from './files.ts';
import { endProcess, identify, isAlive, type ProcessIdentity } from './identity.ts';

/** A crashed supervisor's processes get this long; a sender may have mail in flight. */
const ORPHAN_GRACE_MS = 12_000;

/**
 * Makes this process the only supervisor of a data folder.
 * @throws KairosError STATE_CONFLICT when another one looks after it
 */
export function claimFolder(dataDir: string): void {
  createDataFolder(dataDir);
  const path = supervisorFile(dataDir);
  const self = identify(process.pid);
  const draft = `${path}.${process.pid}`;
  writeFileSync(draft, JSON.stringify(self), { mode: 0o600 });
  try {
    for (let attempt = 0; attempt < 3; attempt += 1) {
      try {
        // Linking fails where the file exists, and it is never there half written.
        linkSync(draft, path);
        return;
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
      }
      refuseIfRunning(dataDir);
      rmSync(path, { force: true });
    }
    throw new Error(`${path} comes back each time it is removed`);
  } finally {
    rmSync(draft, { force: true });
  }
}

export function releaseFolder(dataDir: string): void {
  rmSync(supervisorFile(dataDir), { force: true });
}

function refuseIfRunning(dataDir: string): void {
  const owner = readJson<ProcessIdentity>(supervisorFile(dataDir));
  if (!owner || !isAlive(owner)) return;
  throw new KairosError(
    'STATE_CONFLICT',
    `Kairos already runs on ${dataDir} (process ${owner.pid}): stop it with Ctrl-C or \`kill ${owner.pid}\`, or start another shop with --shop.`,
  );
}

/**
 * Ends what a killed supervisor left behind, so that no two servers ever work on the same files. Processes are known by
 * pid and start time: a pid that another program has now is left alone.
 */
export async function endOrphans(
  dataDir: string,
  definitions: readonly ProcessDefinition[],
): Promise<string[]> {
  const folder = runFolder(dataDir);
  const records = existsSync(folder)
    ? readdirSync(folder)
        .filter((name) => name.endsWith('.json'))
        .map((name) => readJson<RunRecord>(join(folder, name)))
        .filter((record) => record !== undefined)
    : [];
  const orphans = records.filter((record) => isAlive(record));
  const end = (orphan: RunRecord): Promise<void> =>
    endProcess(orphan, orphan.stopSignal, ORPHAN_GRACE_MS);
  // In the order of an orderly stop: a sender with mail in flight still needs the database to say what became of it.
  await Promise.all(orphans.filter(({ name }) => isLast(name)).map(end));
  await Promise.all(orphans.filter(({ name }) => !isLast(name)).map(end));
  for (const definition of definitions) await definition.endOrphans?.(dataDir);
  for (const record of records) removeRun(dataDir, record.name);
  return orphans.map((orphan) => orphan.name);
}

/**
 * Deletes everything in a data folder but its secrets: tracked links of mails that were sent keep their signatures, and
 * a password that is written down somewhere keeps working.
 */
export async function resetFolder(
  dataDir: string,
  definitions: readonly ProcessDefinition[],
): Promise<void> {
  if (!existsSync(dataDir)) return;
  claimFolder(dataDir);
  try {
    await endOrphans(dataDir, definitions);
    removeCluster(dataDir);
    for (const name of readdirSync(dataDir)) {
      if (['secrets.json', 'supervisor.json'].includes(name)) continue;
      rmSync(join(dataDir, name), { recursive: true, force: true });
    }
  } finally {
    releaseFolder(dataDir);
  }
}
