import { join } from 'node:path';
import { inheritedEnvironment } from '../config.ts';
import {
  endOrphanedPostgres,
  ensureDatabase,
  isPostgresReady,
  postgresCommand,
  prepareCluster,
} from '../postgres.ts';
import { clusterDirectory } from '../postgres-home.ts';
import { loadSecrets } from '../secrets.ts';
import type { ProcessDefinition } from '../supervisor/definition.ts';

/** PostgreSQL, the truth. `safe: false` is for tests: it survives a crash of PostgreSQL, not one of the machine. */
export function postgres(safe = true): ProcessDefinition {
  return {
    name: 'postgres',
    title: 'PostgreSQL',
    ports: ['postgres'],
    address: (config) => `127.0.0.1:${config.ports.postgres}`,
    isOurs: (config) => !config.database.external,
    async command(config) {
      const { postgresSuperuser } = loadSecrets(config.dataDir);
      const cluster = await prepareCluster(config.dataDir, postgresSuperuser, safe);
      // A lock file of a killed server whose number another process has now would keep it from starting.
      await endOrphanedPostgres(cluster.directory);
      return {
        file: join(cluster.programs, 'postgres'),
        args: postgresCommand(cluster, config.ports.postgres, safe),
        cwd: '/',
        env: inheritedEnvironment('foreign'),
        ...cluster.user,
      };
    },
    async probe(config) {
      const secrets = loadSecrets(config.dataDir);
      const port = config.ports.postgres;
      if (!(await isPostgresReady(port, secrets.postgresSuperuser))) return false;
      await ensureDatabase(port, secrets.postgresSuperuser, secrets.postgres);
      return true;
    },
    async endOrphans(dataDir) {
      const directory = clusterDirectory(dataDir);
      if (directory) await endOrphanedPostgres(directory);
    },
    hint: () => 'Set DATABASE_URL to use a PostgreSQL that runs already.',
    // "Fast": connections are ended, and what was committed is on disk. SIGTERM would wait for them to go.
    stopSignal: 'SIGINT',
    stopTimeoutMs: 15_000,
  };
}
