import { existsSync, readdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type ClientConnectConfig, loadClientConnectConfig } from '@temporalio/envconfig';
import { KairosError } from '../domain/errors.ts';
import { NAMESPACE } from '../temporal.config.ts';
import { loadSecrets, Secret, type LinkKey } from './secrets.ts';
import { readJson, readState, supervisorFile } from './supervisor/files.ts';
import { isAlive, type ProcessIdentity } from './supervisor/identity.ts';
import { PREFERRED_PORTS, type Ports } from './supervisor/ports.ts';

export { Secret, type LinkKey } from './secrets.ts';

/**
 * The only reader of the environment. A value comes from the environment, else from the running stack's `state.json`
 * and `secrets.json`, else from the defaults, so that a process of the supervisor, the command line and a process on
 * another machine all find the same things in the same way.
 */
export const SHOPS = ['sample', 'complete-journey', 'none'] as const;
export type ShopName = (typeof SHOPS)[number];

export interface Config {
  checkout: string;
  shop: ShopName;
  /** Everything of this shop on this machine; mode 0700. */
  dataDir: string;
  /** Where this machine's parts listen; loopback only. */
  ports: Ports;
  database: {
    url: Secret;
    /** The embedded cluster's superuser; null where PostgreSQL is not ours. */
    superuserUrl: Secret | null;
    /** True when `DATABASE_URL` names one that Kairos does not start. */
    external: boolean;
  };
  warehouse: { url: string; key: Secret; directory: string; external: boolean };
  /** Null: BullMQ on PostgreSQL. Else Valkey or Redis. */
  queueUrl: Secret | null;
  /** `smtp://…` or `smtps://…`; may hold credentials. */
  smtp: { url: Secret; external: boolean; relaySignsDkim: boolean };
  /** The lane file, by `KAIROS_LANES`, else `lanes.yaml` of the checkout; null where there is none. */
  lanesFile: string | null;
  /** What links in mails start with; no slash at the end. */
  publicUrl: string;
  adminUrl: string;
  adminToken: Secret;
  inboxUrl: string;
  links: readonly LinkKey[];
  codesKey: Secret;
  /** For `POST /v1/…` of the public listener, by basic auth. */
  writeKey: Secret;
  /** Seals the secrets of webhooks; 32 bytes, base64url. */
  vaultKey: Secret;
  /** Whether webhooks may go to hosts inside the network and without TLS, by `KAIROS_WEBHOOKS_ALLOW_PRIVATE`. */
  webhooksAllowPrivate: boolean;
  temporal: {
    /** For `Connection.connect` and `NativeConnection.connect`. A function, so that no key is printed. */
    connection: () => ClientConnectConfig['connectionOptions'];
    namespace: string;
    /** Null where the UI of a cluster is not known. */
    uiUrl: string | null;
    external: boolean;
  };
}

export type Environment = Readonly<Record<string, string | undefined>>;

const CHECKOUT = fileURLToPath(new URL('..', import.meta.url));
const HOST = '127.0.0.1';
const DATABASE = 'kairos';

/**
 * @param options.shop overrides `KAIROS_SHOP`
 * @param options.dataDir overrides `KAIROS_HOME` and the shop's folder in it; for tests
 * @throws KairosError CONFIG_INVALID naming the variable, never its value
 */
export function loadConfig(
  options: { shop?: string; dataDir?: string; env?: Environment } = {},
): Config {
  const env = options.env ?? process.env;
  const home = resolve(CHECKOUT, env.KAIROS_HOME ?? '.kairos');
  const shop = shopName(options.shop ?? env.KAIROS_SHOP ?? runningShop(home) ?? 'sample');
  const dataDir = options.dataDir ?? env.KAIROS_DATA_DIR ?? join(home, shop);
  const ports = readState(dataDir)?.ports ?? PREFERRED_PORTS;
  const secrets = loadSecrets(dataDir);
  const local = (port: number): string => `http://${HOST}:${port}`;
  const postgres = (user: string, password: Secret): Secret =>
    new Secret(`postgres://${user}:${password.reveal()}@${HOST}:${ports.postgres}/${DATABASE}`);
  const databaseUrl = url(env, 'DATABASE_URL', ['postgres:', 'postgresql:']);
  const warehouseUrl = url(env, 'WAREHOUSE_URL', ['http:', 'https:']);
  const queueUrl = url(env, 'QUEUE_URL', ['redis:', 'rediss:']);
  const smtpUrl = url(env, 'SMTP_URL', ['smtp:', 'smtps:']);
  return {
    checkout: CHECKOUT,
    shop,
    dataDir,
    ports,
    database: {
      url: databaseUrl ? new Secret(databaseUrl) : postgres('kairos', secrets.postgres),
      superuserUrl: databaseUrl ? null : postgres('postgres', secrets.postgresSuperuser),
      external: databaseUrl !== undefined,
    },
    warehouse: {
      url: warehouseUrl ?? local(ports.warehouse),
      key: env.WAREHOUSE_KEY ? new Secret(env.WAREHOUSE_KEY) : secrets.warehouse,
      directory: join(dataDir, 'warehouse'),
      external: warehouseUrl !== undefined,
    },
    queueUrl: queueUrl ? new Secret(queueUrl) : null,
    smtp: {
      url: new Secret(smtpUrl ?? `smtp://${HOST}:${ports.smtp}`),
      external: smtpUrl !== undefined,
      relaySignsDkim: flag(env, 'KAIROS_RELAY_SIGNS_DKIM'),
    },
    lanesFile: lanesFile(env),
    publicUrl: (url(env, 'KAIROS_PUBLIC_URL', ['http:', 'https:']) ?? local(ports.public)).replace(
      /\/+$/,
      '',
    ),
    adminUrl: local(ports.admin),
    adminToken: secrets.admin,
    inboxUrl: local(ports.inbox),
    links: secrets.links,
    codesKey: secrets.codes,
    writeKey: secrets.write,
    vaultKey: secrets.vault,
    webhooksAllowPrivate: flag(env, 'KAIROS_WEBHOOKS_ALLOW_PRIVATE'),
    temporal: temporalSettings(env, ports),
  };
}

/**
 * A cluster is used only where the environment or a `temporal.toml` in the checkout names one. A file in the user's
 * home is not enough: a demo must never start campaigns on a cluster that somebody set up for something else.
 */
function temporalSettings(env: Environment, ports: Ports): Config['temporal'] {
  const file = join(CHECKOUT, 'temporal.toml');
  const named = ['TEMPORAL_ADDRESS', 'TEMPORAL_CONFIG_FILE', 'TEMPORAL_PROFILE'].some(
    (name) => env[name],
  );
  if (!named && !existsSync(file)) {
    return {
      connection: () => ({ address: `${HOST}:${ports.temporal}` }),
      namespace: env.TEMPORAL_NAMESPACE ?? NAMESPACE,
      uiUrl: `http://${HOST}:${ports.temporalUi}`,
      external: false,
    };
  }
  const read = (): ClientConnectConfig =>
    loadClientConnectConfig({
      ...(env.TEMPORAL_CONFIG_FILE || !existsSync(file) ? {} : { configSource: { path: file } }),
      overrideEnvVars: Object.fromEntries(
        Object.entries(env).filter((entry): entry is [string, string] => entry[1] !== undefined),
      ),
    });
  return {
    connection: () => read().connectionOptions,
    namespace: read().namespace ?? NAMESPACE,
    uiUrl: env.KAIROS_TEMPORAL_UI ?? null,
    external: true,
  };
}

/**
 * What a process of the supervisor inherits. Programs that are not ours get what any program needs; ours also get the
 * settings of Kairos, and never what npm adds for its own scripts.
 */
export function inheritedEnvironment(kind: 'ours' | 'foreign', env: Environment = process.env) {
  const foreign = new Set(['PATH', 'HOME', 'LANG', 'LC_ALL', 'TZ', 'TMPDIR', 'USER']);
  return Object.fromEntries(
    Object.entries(env).filter(([name]) =>
      kind === 'ours' ? !/^npm_|^INIT_CWD$/i.test(name) : foreign.has(name),
    ),
  );
}

function shopName(value: string): ShopName {
  const shop = SHOPS.find((name) => name === value);
  if (shop) return shop;
  throw new KairosError(
    'CONFIG_INVALID',
    `The shop must be one of ${SHOPS.join(', ')}: set --shop or KAIROS_SHOP to one of them.`,
  );
}

/** The only shop that runs now, so that the command line needs no `--shop`. */
function runningShop(home: string): string | undefined {
  if (!existsSync(home)) return undefined;
  const running = readdirSync(home).filter((name) => isRunning(join(home, name)));
  return running.length === 1 ? running[0] : undefined;
}

/** Whether a supervisor looks after this data folder now. */
export function isRunning(dataDir: string): boolean {
  const supervisor = readJson<ProcessIdentity>(supervisorFile(dataDir));
  return supervisor !== undefined && isAlive(supervisor);
}

function url(env: Environment, name: string, protocols: readonly string[]): string | undefined {
  const value = env[name];
  if (!value) return undefined;
  if (URL.canParse(value) && protocols.includes(new URL(value).protocol)) return value;
  throw new KairosError(
    'CONFIG_INVALID',
    `${name} is not a URL that starts with ${protocols.map((protocol) => `${protocol}//`).join(' or ')}: mend or unset it.`,
  );
}

function lanesFile(env: Environment): string | null {
  if (env.KAIROS_LANES) return resolve(CHECKOUT, env.KAIROS_LANES);
  const usual = join(CHECKOUT, 'lanes.yaml');
  return existsSync(usual) ? usual : null;
}

function flag(env: Environment, name: string): boolean {
  const value = env[name] ?? '';
  if (['', '0', 'false', 'no'].includes(value)) return false;
  if (['1', 'true', 'yes'].includes(value)) return true;
  throw new KairosError('CONFIG_INVALID', `${name} must be true or false.`);
}

/** Where what is built is kept: beside the dependencies, so that it outlives every shop's data. */
export function cacheDirectory(checkout: string): string {
  return join(checkout, 'node_modules', '.cache', 'kairos');
}
