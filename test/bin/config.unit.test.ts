import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { inheritedEnvironment, loadConfig, Secret, type Environment } from '../../bin/config.ts';
import { loadSecrets } from '../../bin/secrets.ts';
import { writeState } from '../../bin/supervisor/files.ts';
import { choosePorts } from '../../bin/supervisor/ports.ts';

let home: string;
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'kairos-config-'));
});
afterEach(() => {
  rmSync(home, { recursive: true, force: true });
});

const load = (env: Environment = {}) => loadConfig({ env: { KAIROS_HOME: home, ...env } });

describe('secrets', () => {
  it('are random, kept, and readable by their owner only', () => {
    const first = loadSecrets(join(home, 'a'));
    const again = loadSecrets(join(home, 'a'));
    const other = loadSecrets(join(home, 'b'));
    expect(again.admin.reveal()).toBe(first.admin.reveal());
    expect(again.links.map(({ id, key }) => [id, key.reveal()])).toEqual(
      first.links.map(({ id, key }) => [id, key.reveal()]),
    );
    expect(other.admin.reveal()).not.toBe(first.admin.reveal());
    expect(Buffer.from(first.codes.reveal(), 'base64url')).toHaveLength(32);
    expect(statSync(join(home, 'a/secrets.json')).mode & 0o777).toBe(0o600);
    expect(statSync(join(home, 'a')).mode & 0o777).toBe(0o700);
  });

  it('of an older version get what is new, and keep what they had', () => {
    writeFileSync(join(home, 'secrets.json'), JSON.stringify({ admin: 'kept' }), { mode: 0o644 });
    const secrets = loadSecrets(home);
    expect(secrets.admin.reveal()).toBe('kept');
    expect(secrets.warehouse.reveal()).not.toBe('');
    expect(statSync(join(home, 'secrets.json')).mode & 0o777).toBe(0o600);
  });

  it('never show themselves', () => {
    const secret = new Secret('hush');
    const shown = [String(secret), JSON.stringify({ secret }), inspect({ secret }, { depth: 9 })];
    expect(shown.join(' ')).not.toContain('hush');
    const config = load({ DATABASE_URL: 'postgres://me:hush@db/kairos' });
    expect(JSON.stringify(config)).not.toContain('hush');
    expect(inspect(config, { depth: 9, showHidden: true })).not.toContain('hush');
  });

  it('are not thrown away when the file is broken', () => {
    const path = join(home, 'secrets.json');
    writeFileSync(path, '{');
    expect(() => loadSecrets(home)).toThrow(/secrets\.json is not JSON/);
    expect(readFileSync(path, 'utf8')).toBe('{');
  });
});

describe('configuration', () => {
  it('finds everything on this machine without any setting', () => {
    const config = load();
    expect(config).toMatchObject({
      shop: 'sample',
      dataDir: join(home, 'sample'),
      publicUrl: 'http://127.0.0.1:8080',
      queueUrl: null,
      database: { external: false },
      temporal: { namespace: 'default', uiUrl: 'http://127.0.0.1:8233', external: false },
    });
    expect(config.database.url.reveal()).toMatch(
      /^postgres:\/\/kairos:[\w-]{43}@127\.0\.0\.1:5433\/kairos$/,
    );
    expect(config.smtp.url.reveal()).toBe('smtp://127.0.0.1:2525');
    expect(config.temporal.connection()).toEqual({ address: '127.0.0.1:7233' });
  });

  it('finds the ports that the supervisor chose', async () => {
    const held = await choosePorts({}, 'random');
    held.release();
    const { ports } = held;
    writeState(join(home, 'none'), { shop: 'none', ports, startedAt: '' });
    const config = load({ KAIROS_SHOP: 'none' });
    expect(config.warehouse.url).toBe(`http://127.0.0.1:${ports.warehouse}`);
    expect(config.database.url.reveal()).toContain(`:${ports.postgres}/`);
  });

  it('takes what the environment names instead', () => {
    const config = load({
      DATABASE_URL: 'postgres://db.example/shop',
      WAREHOUSE_URL: 'https://warehouse.example',
      WAREHOUSE_KEY: 'key',
      QUEUE_URL: 'redis://queue.example',
      SMTP_URL: 'smtps://relay.example',
      KAIROS_PUBLIC_URL: 'https://mail.example/',
      KAIROS_RELAY_SIGNS_DKIM: 'true',
      TEMPORAL_ADDRESS: 'temporal.example:7233',
      TEMPORAL_NAMESPACE: 'shop',
    });
    expect(config).toMatchObject({
      database: { external: true, superuserUrl: null },
      warehouse: { url: 'https://warehouse.example', external: true },
      smtp: { external: true, relaySignsDkim: true },
      publicUrl: 'https://mail.example',
      temporal: { namespace: 'shop', uiUrl: null, external: true },
    });
    expect(config.queueUrl?.reveal()).toBe('redis://queue.example');
    expect(config.warehouse.key.reveal()).toBe('key');
    expect(config.temporal.connection()).toMatchObject({ address: 'temporal.example:7233' });
  });

  it('reads a profile of a temporal.toml', () => {
    const file = join(home, 'temporal.toml');
    writeFileSync(
      file,
      '[profile.shop]\naddress = "cluster.example:7233"\nnamespace = "mails"\napi_key = "hush"\n',
    );
    const { temporal } = load({ TEMPORAL_CONFIG_FILE: file, TEMPORAL_PROFILE: 'shop' });
    expect(temporal).toMatchObject({ namespace: 'mails', external: true });
    expect(temporal.connection()).toMatchObject({
      address: 'cluster.example:7233',
      apiKey: 'hush',
      tls: true,
    });
  });

  it.each([
    ['DATABASE_URL', 'mysql://me:hush@db/x'],
    ['WAREHOUSE_URL', 'hush'],
    ['SMTP_URL', 'http://me:hush@relay'],
    ['KAIROS_RELAY_SIGNS_DKIM', 'hush'],
    ['KAIROS_SHOP', 'hush'],
  ])('names %s when it is wrong, and never its value', (name, value) => {
    let message = '';
    try {
      load({ [name]: value });
    } catch (error) {
      message = (error as Error).message;
    }
    expect(message).toContain(name);
    expect(message).not.toContain('hush');
  });

  it('gives programs that are not ours no setting of ours', () => {
    const env = {
      PATH: '/bin',
      HOME: '/',
      DATABASE_URL: 'x',
      npm_config_x: 'y',
      TEMPORAL_TLS: '1',
    };
    expect(inheritedEnvironment('foreign', env)).toEqual({ PATH: '/bin', HOME: '/' });
    expect(inheritedEnvironment('ours', env)).not.toHaveProperty('npm_config_x');
    expect(inheritedEnvironment('ours', env)).toHaveProperty('DATABASE_URL');
  });
});
