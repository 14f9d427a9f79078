import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { RETENTION_DAYS, SEARCH_ATTRIBUTES } from '../../temporal.config.ts';
import { temporalBinary } from '../binaries.ts';
import { inheritedEnvironment, type Config } from '../config.ts';
import type { ProcessDefinition } from '../supervisor/definition.ts';

const HOST = '127.0.0.1';

const TYPE_NAMES = { KEYWORD: 'Keyword', INT: 'Int' } as const;

/** Temporal's development server with its UI; its state is one SQLite file, so that runs survive a restart. */
export const temporal: ProcessDefinition = {
  name: 'temporal',
  title: 'Temporal',
  ports: ['temporal', 'temporalUi'],
  address: (config) => `${HOST}:${config.ports.temporal}`,
  isOurs: (config) => !config.temporal.external,
  command: (config) =>
    Promise.resolve({
      file: temporalBinary(),
      args: serverArguments(config),
      env: inheritedEnvironment('foreign'),
    }),
  // One call says that the namespace answers and sets its retention, which the server's flags cannot.
  probe: (config) =>
    succeeds(temporalBinary(), [
      'operator',
      'namespace',
      'update',
      '--address',
      `${HOST}:${config.ports.temporal}`,
      '--namespace',
      config.temporal.namespace,
      '--retention',
      `${RETENTION_DAYS * 24}h`,
    ]),
  hint: (config) =>
    `If its file is broken, delete ${join(config.dataDir, 'temporal.db*')}: campaigns go on from PostgreSQL.`,
  stopSignal: 'SIGTERM',
  stopTimeoutMs: 10_000,
};

function serverArguments(config: Config): string[] {
  const attributes = Object.values(SEARCH_ATTRIBUTES).flatMap((key) => [
    '--search-attribute',
    `${key.name}=${TYPE_NAMES[key.type]}`,
  ]);
  return [
    'server',
    'start-dev',
    '--ip',
    HOST,
    '--port',
    String(config.ports.temporal),
    '--ui-port',
    String(config.ports.temporalUi),
    '--namespace',
    config.temporal.namespace,
    '--db-filename',
    join(config.dataDir, 'temporal.db'),
    // 143 workflow starts a second against 60 with SQLite's defaults. A killed server loses nothing; a machine that
    // loses power may lose the last moments, after which campaigns go on from PostgreSQL.
    '--sqlite-pragma',
    'journal_mode=wal',
    '--sqlite-pragma',
    'synchronous=normal',
    '--log-level',
    'warn',
    '--ui-disable-news-fetch',
    ...attributes,
  ];
}

function succeeds(file: string, args: readonly string[]): Promise<boolean> {
  return new Promise((resolve) => {
    const child = spawn(file, args, {
      stdio: 'ignore',
      env: inheritedEnvironment('foreign'),
      timeout: 5_000,
    });
    child.once('error', () => resolve(false));
    child.once('close', (code) => resolve(code === 0));
  });
}
