import { spawn, spawnSync } from 'node:child_process';
import { chownSync, existsSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { KairosError } from '../domain/errors.ts';
import { postgresPackage } from './binaries.ts';
import {
  abandonedClusters,
  clusterHome,
  copyPrograms,
  postgresUser,
  type SystemUser,
} from './postgres-home.ts';
import type { Secret } from './secrets.ts';
import { endProcess, identify } from './supervisor/identity.ts';

/**
 * The embedded PostgreSQL: real PostgreSQL programs from npm, started by us and not through the package's own class,
 * which knows neither the orphans of a killed supervisor nor a user to run as.
 */
export interface Cluster {
  /** Holds `initdb` and `postgres`. */
  programs: string;
  /** PostgreSQL's data directory. */
  directory: string;
  /** Who PostgreSQL runs as; undefined: as us. */
  user: SystemUser | undefined;
}

const HOST = '127.0.0.1';

/** Finds or creates the cluster of a data folder; about 1.3 s the first time. `safe` as in {@link postgresCommand}. */
export async function prepareCluster(
  dataDir: string,
  superuser: Secret,
  safe = true,
): Promise<Cluster> {
  const { folder, version } = postgresPackage();
  const user = postgresUser();
  await removeForgottenClusters();
  const programs = join(user ? copyPrograms(folder, version) : folder, 'bin');
  const home = clusterHome(dataDir, user);
  const directory = join(home, 'data');
  if (existsSync(join(directory, 'PG_VERSION'))) {
    checkVersion(directory, version);
  } else {
    await initialise({ programs, directory, user }, home, superuser, safe);
  }
  return { programs, directory, user };
}

/**
 * A temporary folder that is deleted leaves its cluster behind, since that lies elsewhere where we are root. Whoever
 * deletes one means its data too; elsewhere a folder may only be out of reach, so there a person decides.
 */
async function removeForgottenClusters(): Promise<void> {
  for (const home of abandonedClusters(`${tmpdir()}/`)) {
    await endOrphanedPostgres(join(home, 'data'));
    rmSync(home, { recursive: true, force: true });
  }
}

function checkVersion(directory: string, version: string): void {
  const found = readFileSync(join(directory, 'PG_VERSION'), 'utf8').trim();
  if (version.startsWith(`${found}.`)) return;
  throw new KairosError(
    'CONFIG_INVALID',
    `${directory} was written by PostgreSQL ${found}, and this is ${version}: move the data with pg_dumpall of ${found}, or start with --reset.`,
  );
}

/** `initdb` into a draft that is renamed when it is complete: a kill in between leaves no half cluster. */
async function initialise(
  cluster: Cluster,
  home: string,
  superuser: Secret,
  safe: boolean,
): Promise<void> {
  const draft = `${cluster.directory}.new`;
  const password = join(home, 'password');
  rmSync(draft, { recursive: true, force: true });
  writeFileSync(password, `${superuser.reveal()}\n`, { mode: 0o600 });
  if (cluster.user) chownSync(password, cluster.user.uid, cluster.user.gid);
  try {
    await initdb(cluster, draft, password, safe);
    renameSync(draft, cluster.directory);
  } finally {
    rmSync(password, { force: true });
  }
}

function initdb(
  cluster: Cluster,
  directory: string,
  password: string,
  safe: boolean,
): Promise<void> {
  const args = [
    `--pgdata=${directory}`,
    `--pwfile=${password}`,
    '--username=postgres',
    '--auth=scram-sha-256',
    '--encoding=UTF8',
    // The built-in locale sorts alike on every system, whatever the C library thinks.
    '--locale=C',
    '--locale-provider=builtin',
    '--builtin-locale=C.UTF-8',
    ...(safe ? [] : ['--no-sync']),
  ];
  return new Promise((done, fail) => {
    const child = spawn(join(cluster.programs, 'initdb'), args, {
      stdio: ['ignore', 'pipe', 'pipe'],
      cwd: '/',
      ...cluster.user,
    });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => {
        output += text;
      });
    }
    child.once('error', fail);
    child.once('close', (code) => {
      if (code === 0) done();
      else fail(new Error(`initdb ended with ${code} in ${directory}:\n${output.trim()}`));
    });
  });
}

/** The command line of the server. `safe: false` trades durability over power loss for speed; for tests only. */
export function postgresCommand(cluster: Cluster, port: number, safe: boolean): string[] {
  const settings = {
    port,
    listen_addresses: HOST,
    // TCP with a password is the only way in.
    unix_socket_directories: '',
    max_connections: 100,
    shared_buffers: safe ? '256MB' : '64MB',
    work_mem: '16MB',
    maintenance_work_mem: '128MB',
    effective_cache_size: '1GB',
    random_page_cost: 1.1,
    jit: 'off',
    fsync: safe ? 'on' : 'off',
    full_page_writes: safe ? 'on' : 'off',
    synchronous_commit: 'on',
    wal_compression: 'on',
    max_wal_size: '2GB',
    checkpoint_timeout: '15min',
    timezone: 'UTC',
    log_timezone: 'UTC',
    log_line_prefix: '%m [%p] %a ',
    // Statements and details of errors hold addresses; the log must not.
    log_min_error_statement: 'panic',
    log_error_verbosity: 'terse',
    log_checkpoints: 'off',
  };
  return [
    '-D',
    cluster.directory,
    ...Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]),
  ];
}

/**
 * Ends the server that a killed supervisor left behind on this data directory, and clears a lock file whose number
 * now belongs to another process, for which PostgreSQL would refuse to start.
 */
export async function endOrphanedPostgres(directory: string): Promise<void> {
  const lock = join(directory, 'postmaster.pid');
  if (!existsSync(lock)) return;
  const pid = Number(readFileSync(lock, 'utf8').split('\n')[0]);
  const identity = identify(pid);
  if (!identity) return;
  if (commandOf(pid).includes(directory)) {
    await endProcess(identity, 'SIGINT', 15_000);
  } else {
    rmSync(lock, { force: true });
  }
}

function commandOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
  } catch {
    return (
      spawnSync('ps', ['-o', 'command=', '-p', String(pid)], { encoding: 'utf8' }).stdout ?? ''
    );
  }
}

/** Whether the server accepts connections. A wrong password is an error: waiting would not help. */
export async function isPostgresReady(port: number, superuser: Secret): Promise<boolean> {
  const client = superuserClient(port, superuser, 'postgres');
  try {
    await client.connect();
    await client.query('select 1');
    return true;
  } catch (error) {
    if ((error as { code?: string }).code !== '28P01') return false;
    throw new KairosError(
      'CONFIG_INVALID',
      `PostgreSQL on port ${port} refuses the password in secrets.json: put back the file that belongs to this data, or start with --reset.`,
    );
  } finally {
    await client.end().catch(() => {});
  }
}

/** Creates the role `kairos` and a database that it owns, where they are missing; gives the role this password. */
export async function ensureDatabase(
  port: number,
  superuser: Secret,
  password: Secret,
  database = 'kairos',
): Promise<void> {
  const client = superuserClient(port, superuser, 'postgres');
  await client.connect();
  try {
    const role = await client.query("select from pg_roles where rolname = 'kairos'");
    await client.query(
      `${role.rowCount ? 'alter' : 'create'} role kairos login password ${client.escapeLiteral(password.reveal())}`,
    );
    const found = await client.query('select from pg_database where datname = $1', [database]);
    if (!found.rowCount) {
      await client.query(`create database ${client.escapeIdentifier(database)} owner kairos`);
    }
  } finally {
    await client.end();
  }
}

function superuserClient(port: number, password: Secret, database: string): pg.Client {
  return new pg.Client({
    host: HOST,
    port,
    database,
    user: 'postgres',
    password: password.reveal(),
    application_name: 'kairos supervisor',
    connectionTimeoutMillis: 5_000,
  });
}
