import { readFileSync, readdirSync, statSync, existsSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';

const ROOT = resolve(import.meta.dirname, '../..');

/** Which of our folders each may import: the design's table. `domain` is allowed to all. */
const MAY: Readonly<Record<string, readonly string[]>> = {
  domain: [],
  models: [],
  templates: [],
  campaigns: [],
  shop: [],
  store: [],
  delivery: ['templates', 'store'],
  server: ['templates', 'store'],
  activities: ['models', 'templates', 'store', 'delivery'],
  workflows: ['temporal.config.ts'],
  'temporal.config.ts': [],
};
/** May be imported as types only. */
const TYPES_ONLY: Readonly<Record<string, readonly string[]>> = {
  workflows: ['activities'],
  server: ['workflows'],
};
/** Files of `domain` that need a platform or unversioned data, and must not get into the workflow bundle. */
const NOT_IN_WORKFLOWS = [/\.schema\.ts$/, /link-token\.ts$/, /local-time\.ts$/, /plan\.ts$/];

interface Import {
  file: string;
  target: string;
  isType: boolean;
}

function sources(folder: string): string[] {
  if (folder.endsWith('.ts')) return [join(ROOT, folder)];
  if (!existsSync(join(ROOT, folder))) return [];
  return readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => join(ROOT, folder, name));
}

function importsOf(file: string): Import[] {
  const text = readFileSync(file, 'utf8');
  const pattern = /^\s*(?:import|export)\s+(type\s+)?(?:[^'"`;]*?\sfrom\s+)?['"]([^'"]+)['"]/gm;
  const found = [...text.matchAll(pattern)].map(([whole, type, target]) => ({
    file,
    target: target!,
    // `import { type A, type B }` imports no value either.
    isType: type !== undefined || /\{\s*(?:type\s+\w+(?:\s+as\s+\w+)?\s*,?\s*)+\}/.test(whole),
  }));
  const dynamic = [...text.matchAll(/\bimport\(\s*['"]([^'"]+)['"]/g)];
  return [...found, ...dynamic.map(([, target]) => ({ file, target: target!, isType: false }))];
}

const homeOf = (path: string): string => relative(ROOT, path).split('/')[0]!;

describe.each(Object.keys(MAY))('%s', (folder) => {
  it('imports only what the design lets it', () => {
    const wrong = sources(folder)
      .flatMap(importsOf)
      .filter(({ target }) => target.startsWith('.'))
      .filter(({ file, target, isType }) => {
        const home = homeOf(resolve(dirname(file), target));
        if (home === folder || home === 'domain' || MAY[folder]!.includes(home)) return false;
        return !(isType && TYPES_ONLY[folder]?.includes(home));
      })
      .map(({ file, target }) => `${relative(ROOT, file)} → ${target}`);
    expect(wrong).toEqual([]);
  });
});

describe('the workflow side', () => {
  it('stays free of schemas, cryptography and time zones', () => {
    const seen = new Set<string>();
    const visit = (file: string): void => {
      if (seen.has(file)) return;
      seen.add(file);
      for (const { target, isType } of importsOf(file)) {
        if (!isType && target.startsWith('.')) visit(resolve(dirname(file), target));
      }
    };
    sources('workflows').forEach(visit);
    const wrong = [...seen].filter((file) =>
      NOT_IN_WORKFLOWS.some((pattern) => pattern.test(file)),
    );
    expect(wrong.map((file) => relative(ROOT, file))).toEqual([]);
  });

  it('uses no package but the workflow SDK, and no node module', () => {
    const packages = sources('workflows')
      .flatMap(importsOf)
      .filter(({ target, isType }) => !isType && !target.startsWith('.'))
      .map(({ target }) => target);
    expect(
      [...new Set(packages)].filter((name) => !/^@temporalio\/(workflow|common)$/.test(name)),
    ).toEqual([]);
  });

  it('keeps no mutable state at the top of a module', () => {
    const wrong = sources('workflows').filter((file) =>
      /^(?:export )?(?:let|var) /m.test(readFileSync(file, 'utf8')),
    );
    expect(wrong).toEqual([]);
  });
});

describe('everywhere', () => {
  it('only bin reads the environment', () => {
    const wrong = Object.keys(MAY)
      .flatMap(sources)
      .filter((file) =>
        /process\.env/.test(readFileSync(file, 'utf8').replaceAll(/\/\*[^]*?\*\/|\/\/.*$/gm, '')),
      );
    expect(wrong.map((file) => relative(ROOT, file))).toEqual([]);
  });

  it('models do no input or output', () => {
    const wrong = sources('models')
      .flatMap(importsOf)
      .filter(({ target }) => target.startsWith('node:'));
    expect(wrong).toEqual([]);
  });

  it('each folder says in its README what it is for, in at most 15 lines', () => {
    const folders = [...Object.keys(MAY).filter((name) => !name.endsWith('.ts')), 'bin'];
    const wrong = folders.filter((folder) => {
      const readme = join(ROOT, folder, 'README.md');
      return !existsSync(readme) || readFileSync(readme, 'utf8').trimEnd().split('\n').length > 15;
    });
    expect(wrong).toEqual([]);
  });

  it('a folder appears only where the design has a place for it', () => {
    const known = new Set([...Object.keys(MAY), 'bin', 'test', 'bench', 'docs', 'console']);
    const folders = readdirSync(ROOT).filter(
      (name) =>
        !name.startsWith('.') &&
        name !== 'node_modules' &&
        statSync(join(ROOT, name)).isDirectory(),
    );
    expect(folders.filter((name) => !known.has(name))).toEqual([]);
  });

  it('no file has a cycle of value imports', () => {
    const graph = new Map(
      [...Object.keys(MAY), 'bin'].flatMap(sources).map((file) => [
        file,
        importsOf(file)
          .filter(({ target, isType }) => target.startsWith('.') && !isType)
          .map(({ target }) => resolve(dirname(file), target)),
      ]),
    );
    const done = new Set<string>();
    const cycles: string[] = [];
    const walk = (file: string, path: string[]): void => {
      if (path.includes(file)) {
        cycles.push(
          [...path.slice(path.indexOf(file)), file].map((f) => relative(ROOT, f)).join(' → '),
        );
        return;
      }
      if (done.has(file)) return;
      for (const next of graph.get(file) ?? []) walk(next, [...path, file]);
      done.add(file);
    };
    for (const file of graph.keys()) walk(file, []);
    expect(cycles).toEqual([]);
  });
});
