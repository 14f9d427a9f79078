import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import {
  chmodSync,
  chownSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
} from 'node:fs';
import { join, resolve } from 'node:path';
import { KairosError } from '../domain/errors.ts';
import { readJson, writeFileAtomically } from './supervisor/files.ts';

/**
 * Where the embedded PostgreSQL lives. It refuses to run as root, and its own user must be able to reach programs and
 * data. So as root a copy of the programs and one folder per cluster lie under {@link ROOT_HOME}; for everybody else all
 * lies in the data folder.
 */
export interface SystemUser {
  uid: number;
  gid: number;
}

const ROOT_HOME = '/var/lib/kairos';
const SYSTEM_USER = 'kairos';

const isRoot = (): boolean => process.getuid?.() === 0;

/** Who PostgreSQL must run as; undefined where it may run as us. */
export function postgresUser(): SystemUser | undefined {
  return isRoot() ? systemUser() : undefined;
}

/** Deletes the cluster of a data folder; it must not run. */
export function removeCluster(dataDir: string): void {
  const id = clusterId(dataDir);
  if (id && isRoot()) rmSync(join(ROOT_HOME, 'clusters', id), { recursive: true, force: true });
  rmSync(join(dataDir, 'postgres'), { recursive: true, force: true });
  rmSync(join(dataDir, 'postgres.json'), { force: true });
}

/** Where the data folder's cluster lies, if it has one: for ending orphans. */
export function clusterDirectory(dataDir: string): string | undefined {
  const id = clusterId(dataDir);
  const home = id && isRoot() ? join(ROOT_HOME, 'clusters', id) : join(dataDir, 'postgres');
  return existsSync(home) ? join(home, 'data') : undefined;
}

/**
 * Folders of clusters under {@link ROOT_HOME} whose data folder is gone: for `doctor` to name.
 * @param under only those whose data folder was in this one
 */
export function abandonedClusters(under = '/'): string[] {
  const root = join(ROOT_HOME, 'clusters');
  if (!existsSync(root)) return [];
  return readdirSync(root)
    .map((id) => join(root, id))
    .filter((home) => {
      const owner = readJson<{ dataDir: string }>(join(home, 'owner.json'))?.dataDir;
      return owner?.startsWith(under) && !existsSync(owner);
    });
}

function clusterId(dataDir: string): string | undefined {
  return readJson<{ id: string }>(join(dataDir, 'postgres.json'))?.id;
}

/**
 * The folder around the data directory. Its name is random and kept in the data folder, so that whoever deletes that
 * folder begins anew, and whoever moves the checkout keeps the data.
 */
export function clusterHome(dataDir: string, user: SystemUser | undefined): string {
  if (!user) {
    const home = join(dataDir, 'postgres');
    mkdirSync(home, { recursive: true, mode: 0o700 });
    return home;
  }
  let id = clusterId(dataDir);
  if (!id) {
    id = randomBytes(8).toString('hex');
    writeFileAtomically(join(dataDir, 'postgres.json'), `${JSON.stringify({ id })}\n`);
  }
  const home = join(ROOT_HOME, 'clusters', id);
  for (const folder of [ROOT_HOME, join(ROOT_HOME, 'clusters')]) makeFolder(folder, 0o755);
  makeFolder(home, 0o700);
  const owner = readJson<{ dataDir: string }>(join(home, 'owner.json'))?.dataDir;
  if (owner && owner !== resolve(dataDir) && clusterId(owner) === id) {
    throw new KairosError(
      'CONFIG_INVALID',
      `${dataDir} is a copy of ${owner}, and both would use one PostgreSQL cluster: delete ${join(dataDir, 'postgres.json')} to give the copy an empty one.`,
    );
  }
  writeFileAtomically(
    join(home, 'owner.json'),
    `${JSON.stringify({ dataDir: resolve(dataDir) })}\n`,
  );
  chownSync(home, user.uid, user.gid);
  return home;
}

function makeFolder(path: string, mode: number): void {
  try {
    mkdirSync(path, { recursive: true });
    // The umask of a careful root would lock PostgreSQL's user out.
    chmodSync(path, mode);
  } catch (error) {
    throw new KairosError(
      'CONFIG_INVALID',
      `Run as root, PostgreSQL needs ${path}, which cannot be made (${(error as NodeJS.ErrnoException).code}): run Kairos as another user, or set DATABASE_URL.`,
    );
  }
}

/** The unprivileged user that PostgreSQL runs as: `kairos`, created where the system allows it, else `nobody`. */
function systemUser(): SystemUser {
  const known = lookUp(SYSTEM_USER);
  if (known) return known;
  const shell = ['--shell', '/usr/sbin/nologin', '--home-dir', ROOT_HOME, '--no-create-home'];
  spawnSync('useradd', ['--system', '--user-group', ...shell, SYSTEM_USER], { stdio: 'ignore' });
  return lookUp(SYSTEM_USER) ?? lookUp('nobody') ?? { uid: 65_534, gid: 65_534 };
}

function lookUp(name: string): SystemUser | undefined {
  const [uid, gid] = ['-u', '-g'].map((option) => {
    const { status, stdout } = spawnSync('id', [option, name], { encoding: 'utf8' });
    return status === 0 ? Number(stdout) : Number.NaN;
  });
  return uid && gid ? { uid, gid } : undefined;
}

/** A copy of the programs that any user can read; once per version. */
export function copyPrograms(from: string, version: string): string {
  const target = join(ROOT_HOME, `pg-${version}`);
  if (existsSync(target)) return target;
  makeFolder(ROOT_HOME, 0o755);
  const draft = `${target}.${process.pid}`;
  rmSync(draft, { recursive: true, force: true });
  cpSync(from, draft, { recursive: true, verbatimSymlinks: true });
  makeReadable(draft);
  try {
    renameSync(draft, target);
  } catch (error) {
    rmSync(draft, { recursive: true, force: true });
    // Another checkout was faster.
    if (!existsSync(target)) throw error;
  }
  return target;
}

function makeReadable(folder: string): void {
  chmodSync(folder, 0o755);
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) makeReadable(path);
    else if (entry.isFile()) chmodSync(path, statSync(path).mode & 0o111 ? 0o755 : 0o644);
  }
}
