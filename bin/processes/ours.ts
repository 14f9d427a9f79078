import { join } from 'node:path';
import { cacheDirectory, inheritedEnvironment, type Config } from '../config.ts';
import type { ProcessDefinition, ProcessName } from '../supervisor/definition.ts';
import type { PortName } from '../supervisor/ports.ts';

interface Ours {
  name: ProcessName;
  title: string;
  ports: readonly PortName[];
  address: (config: Config) => string;
  isOurs?: (config: Config) => boolean;
  hint?: (config: Config) => string;
  /** For Node itself. */
  flags?: readonly string[];
}

/** The processes that are written here: `bin/<name>.ts`, which say themselves when they are ready. */
const OURS: readonly Ours[] = [
  {
    name: 'warehouse',
    title: 'Warehouse',
    ports: ['warehouse'],
    address: (config) => `127.0.0.1:${config.ports.warehouse}`,
    isOurs: (config) => !config.warehouse.external,
    hint: (config) =>
      `If its files are broken, delete ${config.warehouse.directory} and run \`npm run kairos -- rebuild-warehouse\`: all of it comes from PostgreSQL.`,
  },
  {
    name: 'inbox',
    title: 'Dev inbox',
    ports: ['smtp', 'inbox'],
    address: (config) => `${config.inboxUrl} (SMTP on ${config.ports.smtp})`,
    isOurs: (config) => !config.smtp.external,
  },
  {
    name: 'worker',
    title: 'Worker',
    ports: [],
    address: (config) => `namespace ${config.temporal.namespace}`,
  },
  {
    name: 'sender',
    title: 'Sender',
    ports: [],
    address: (config) => (config.queueUrl ? 'lanes on Redis' : 'lanes on PostgreSQL'),
  },
  {
    name: 'server',
    title: 'Server',
    // Bodies of events live for some tens of milliseconds: long enough to be moved twice in the default's 16 MiB.
    flags: ['--max-semi-space-size=64'],
    ports: ['public', 'admin'],
    address: (config) => `${config.publicUrl} (admin ${config.adminUrl})`,
  },
];

export const ours: readonly ProcessDefinition[] = OURS.map((each) => ({
  ...each,
  isOurs: each.isOurs ?? (() => true),
  hint: each.hint ?? (() => '`npm run kairos -- doctor` checks what it needs.'),
  command: (config) =>
    Promise.resolve({
      file: process.execPath,
      args: [
        ...(each.flags ?? []),
        '--enable-source-maps',
        join(config.checkout, 'bin', `${each.name}.ts`),
      ],
      env: {
        ...inheritedEnvironment('ours'),
        KAIROS_SHOP: config.shop,
        KAIROS_DATA_DIR: config.dataDir,
        NODE_COMPILE_CACHE: join(cacheDirectory(config.checkout), 'compile'),
      },
    }),
  stopSignal: 'SIGTERM',
  stopTimeoutMs: 10_000,
}));
