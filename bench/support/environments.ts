import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { runChild } from './child.ts';

/** Where references live that a bench needs and the product does not: made once, outside the project. */
const CACHE = join(process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'kairos');

export type Found<T> = { readonly found: T } | { readonly found: null; readonly why: string };

/**
 * A Python with exactly these packages (`name==version`), in a virtual environment of its own. Null with the reason where
 * there is no python3 or the packages cannot be had.
 */
export async function pythonWith(
  packages: readonly string[],
  log: (line: string) => void,
): Promise<Found<string>> {
  const key = createHash('sha256').update(packages.toSorted().join('\n')).digest('hex');
  const folder = join(CACHE, `bench-python-${key.slice(0, 12)}`);
  const python = join(folder, 'bin', 'python');
  const done = join(folder, 'complete');
  try {
    if (!existsSync(done)) {
      log(`making a virtual environment with ${packages.join(', ')}`);
      rmSync(folder, { recursive: true, force: true });
      mkdirSync(CACHE, { recursive: true });
      await runChild('python3', ['-m', 'venv', folder]);
      await runChild(python, ['-m', 'pip', 'install', '--quiet', ...packages]);
      writeFileSync(done, '');
    }
    return { found: python };
  } catch (error) {
    return { found: null, why: (error as Error).message };
  }
}

/** A package of npm at one version, loaded from a folder of its own; null with the reason where it cannot be had. */
export async function npmPackage<T extends object>(
  name: string,
  version: string,
  log: (line: string) => void,
): Promise<Found<T>> {
  const folder = join(CACHE, `bench-npm-${name.replaceAll(/[^a-z0-9-]/g, '-')}-${version}`);
  const done = join(folder, 'complete');
  try {
    if (!existsSync(done)) {
      log(`getting ${name} ${version}`);
      mkdirSync(folder, { recursive: true });
      const quiet = ['--no-audit', '--no-fund', '--ignore-scripts'];
      await runChild('npm', ['install', ...quiet, '--prefix', folder, `${name}@${version}`]);
      writeFileSync(done, '');
    }
    return { found: createRequire(join(folder, 'x.js'))(name) as T };
  } catch (error) {
    return { found: null, why: (error as Error).message };
  }
}
