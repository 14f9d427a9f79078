import { createHash } from 'node:crypto';
import { mkdir, readFile, readdir, rename, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { bundleWorkflowCode } from '@temporalio/worker';

const CHECKOUT = new URL('..', import.meta.url);
/** Everything that can be part of the bundle; a change in any of it makes a new build. */
const SOURCES = ['workflows', 'domain'] as const;

export interface WorkflowBundle {
  code: string;
  /** Hash of the sources and the SDK: the worker's build id. */
  buildId: string;
}

/** The workflow bundle of this checkout; built once per content and kept in `cacheDir`, since webpack takes seconds. */
export async function loadWorkflowBundle(cacheDir: string): Promise<WorkflowBundle> {
  const buildId = await hashSources();
  const path = join(cacheDir, `workflows-${buildId}.js`);
  const cached = await readFile(path, 'utf8').catch(() => null);
  if (cached !== null) return { code: cached, buildId };
  const { code } = await bundleWorkflowCode({
    workflowsPath: fileURLToPath(new URL('workflows/index.ts', CHECKOUT)),
    logger: quiet,
  });
  await keep(path, code);
  return { code, buildId };
}

/** Two processes may build at once: each writes its own file, and the last rename wins with the same content. */
async function keep(path: string, code: string): Promise<void> {
  const temporary = `${path}.${process.pid}`;
  try {
    await mkdir(dirname(path), { recursive: true });
    await writeFile(temporary, code);
    await rename(temporary, path);
  } catch (error) {
    // Dependencies that cannot be written to: the next start builds it again.
    const { code: why } = error as NodeJS.ErrnoException;
    if (why !== 'EACCES' && why !== 'EROFS') throw error;
  }
}

async function hashSources(): Promise<string> {
  const hash = createHash('sha256');
  const lock = await readFile(new URL('package-lock.json', CHECKOUT), 'utf8');
  hash.update(/"node_modules\/@temporalio\/workflow": \{[^}]*\}/.exec(lock)?.[0] ?? '');
  hash.update(await readFile(new URL('temporal.config.ts', CHECKOUT)));
  for (const folder of SOURCES) {
    const names = await readdir(new URL(`${folder}/`, CHECKOUT), { recursive: true });
    for (const name of names.filter((file) => file.endsWith('.ts')).sort()) {
      hash.update(name).update(await readFile(new URL(`${folder}/${name}`, CHECKOUT)));
    }
  }
  return hash.digest('hex').slice(0, 16);
}

const ignore = (): void => {};
const quiet = {
  log: ignore,
  trace: ignore,
  debug: ignore,
  info: ignore,
  warn: console.warn,
  error: console.error,
};
