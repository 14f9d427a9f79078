import { createHash } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import { extname, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { parseSync, type Program } from 'oxc-parser';
import { parseDocument } from 'yaml';
import type { CampaignDefinition } from '../domain/campaign.ts';
import { checkCampaign } from '../domain/campaign.schema.ts';
import { KairosError } from '../domain/errors.ts';
import { problemAt, type LocatedProblem, type Problem } from '../domain/problem.ts';
import { pathOf } from '../domain/schema-problems.ts';
import {
  aliasInItself,
  placeInProgram,
  placeInYaml,
  placeOfNode,
  type Place,
} from './campaign-places.ts';

/**
 * Reads a campaign file, TypeScript or YAML, and says what is wrong with it as file:line:column.
 *
 * A TypeScript file is code of the marketer's own checkout, and is run. A file that somebody sends in must be YAML,
 * which is data.
 */
export type LoadedCampaign = LoadedFile<CampaignDefinition>;

export interface LoadedFile<T> {
  readonly file: string;
  /** Null where there are problems. */
  readonly definition: T | null;
  readonly problems: readonly LocatedProblem[];
  /** A further problem with the value at a JSON pointer, such as a model that nobody trained. */
  problem(pointer: string, message: string): LocatedProblem;
}

/** Larger than any campaign that a person wrote; a bound on what the parsers are given. */
const FILE_BYTES_MAX = 262_144;
/** An alias repeats its anchor's content, so that few of them can stand for gigabytes. */
const ALIASES_MAX = 100;

/** What kind of thing a file holds, and how it is checked. */
export interface FileKind<T> {
  /** Such as `campaign`; a TypeScript file exports it by that name, or by default. */
  readonly name: 'campaign' | 'segment';
  /** How it is written in TypeScript. */
  readonly written: string;
  readonly invalid: 'CAMPAIGN_INVALID' | 'SEGMENT_INVALID';
  readonly unknown: 'CAMPAIGN_UNKNOWN' | 'SEGMENT_UNKNOWN';
  readonly example: string;
  check(value: unknown): { definition: T | null; problems: readonly Problem[] };
}

const CAMPAIGN: FileKind<CampaignDefinition> = {
  name: 'campaign',
  written: 'export const campaign = defineCampaign({…})',
  invalid: 'CAMPAIGN_INVALID',
  unknown: 'CAMPAIGN_UNKNOWN',
  example: 'campaigns/win-back.ts',
  check: checkCampaign,
};

type Locate = (path: readonly string[], at: Problem['at']) => Place;

/**
 * Loads `path` (shown as given in the problems). Throws CAMPAIGN_UNKNOWN where there is no such file, and
 * CAMPAIGN_INVALID where it is too large or neither .ts nor .yaml; everything else is a problem with a place.
 */
export async function loadCampaign(path: string): Promise<LoadedCampaign> {
  return loadFile(path, CAMPAIGN);
}

/** The same for any kind of file that a marketer writes. */
export async function loadFile<T>(path: string, kind: FileKind<T>): Promise<LoadedFile<T>> {
  const source = await readSource(path, kind);
  switch (extname(path)) {
    case '.ts':
      return loadTypeScript(path, source, kind);
    case '.yaml':
    case '.yml':
      return loadYaml(path, source, kind);
    default:
      throw new KairosError(
        kind.invalid,
        `${path} is no ${kind.name} file; expected a name that ends in .ts or .yaml`,
      );
  }
}

async function readSource<T>(path: string, kind: FileKind<T>): Promise<string> {
  const facts = await stat(path).catch(() => null);
  if (!facts?.isFile()) {
    throw new KairosError(
      kind.unknown,
      `there is no ${kind.name} file ${path}; expected one such as ${kind.example}`,
    );
  }
  if (facts.size > FILE_BYTES_MAX) {
    throw new KairosError(
      kind.invalid,
      `${path} has ${facts.size} bytes; expected at most ${FILE_BYTES_MAX}`,
    );
  }
  return readFile(path, 'utf8');
}

/** Checks a value that was read from `source`, and finds the place of each problem. */
function judge<T>(
  file: string,
  source: string,
  value: unknown,
  locate: Locate,
  kind: FileKind<T>,
): LoadedFile<T> {
  const { definition, problems } = kind.check(value);
  const located = ({ pointer, at, message }: Problem) =>
    problemAt(file, source, locate(pathOf(pointer), at), message, pointer);
  return {
    file,
    definition,
    problems: problems.map(located),
    problem: (pointer, message) => located({ pointer, at: 'value', message }),
  };
}

function failed<T>(file: string, problems: readonly LocatedProblem[]): LoadedFile<T> {
  const problem = (pointer: string, message: string) =>
    problemAt(file, '', { offset: 0, length: 1 }, message, pointer);
  return { file, definition: null, problems, problem };
}

// YAML

function loadYaml<T>(file: string, source: string, kind: FileKind<T>): LoadedFile<T> {
  const document = parseDocument(source, { prettyErrors: false, strict: true, uniqueKeys: true });
  // A warning is a tag that nobody knows: it would silently become a plain string.
  const faults = [...document.errors, ...document.warnings];
  if (faults.length > 0) {
    return failed(
      file,
      faults.map(({ code, message, pos: [start, end] }) => {
        const text =
          code === 'DUPLICATE_KEY'
            ? 'the same field is given twice; expected it once.'
            : `this is not YAML that can be read: ${message}`;
        return problemAt(file, source, { offset: start, length: end - start }, text);
      }),
    );
  }
  const cycle = aliasInItself(document);
  if (cycle) return failed(file, [problemAt(file, source, placeOfNode(cycle), CYCLE)]);
  const locate: Locate = (path, at) => placeInYaml(document, path, at);
  try {
    return judge(file, source, document.toJS({ maxAliasCount: ALIASES_MAX }), locate, kind);
  } catch (error) {
    if (!(error instanceof ReferenceError)) throw error;
    const message = `the aliases repeat too much; expected at most ${ALIASES_MAX} repetitions.`;
    return failed(file, [problemAt(file, source, { offset: 0, length: 1 }, message)]);
  }
}

const CYCLE = 'the alias stands inside of what it repeats; expected an anchor outside of it.';

// TypeScript

async function loadTypeScript<T>(
  file: string,
  source: string,
  kind: FileKind<T>,
): Promise<LoadedFile<T>> {
  const parsed = parseSync(file, source, { lang: 'ts', sourceType: 'module' });
  if (parsed.errors.length > 0) {
    return failed(
      file,
      parsed.errors.map(({ message, labels: [label] }) => {
        const start = label?.start ?? 0;
        const place = { offset: start, length: (label?.end ?? start + 1) - start };
        return problemAt(
          file,
          source,
          place,
          `this is not TypeScript that can be read: ${message}`,
        );
      }),
    );
  }
  let module: Record<string, unknown>;
  try {
    module = await importFresh(file, source);
  } catch (error) {
    return failed(file, [problemAt(file, source, ...blame(file, source, parsed.program, error))]);
  }
  const value = module['default'] ?? module[kind.name];
  if (value === undefined) {
    const message = `the file exports no ${kind.name}; expected "${kind.written}".`;
    return failed(file, [problemAt(file, source, { offset: 0, length: 1 }, message)]);
  }
  const locate: Locate = (path, at) => placeInProgram(parsed.program, path, at, kind.name);
  return judge(file, source, value, locate, kind);
}

/** The content's hash in the address, since a module that was once loaded stays loaded. */
async function importFresh(file: string, source: string): Promise<Record<string, unknown>> {
  const url = pathToFileURL(resolve(file));
  url.searchParams.set('content', createHash('sha256').update(source).digest('hex').slice(0, 16));
  return (await import(/* @vite-ignore */ url.href)) as Record<string, unknown>;
}

/** Where an import that failed went wrong, as far as the error tells, and a sentence about it. */
function blame(file: string, source: string, program: Program, error: unknown): [Place, string] {
  const { message, stack } = error instanceof Error ? error : new Error(String(error));
  const first = message.split('\n')[0]!;
  for (const statement of program.body) {
    if (statement.type !== 'ImportDeclaration') continue;
    const { value, start, end } = statement.source;
    if (first.includes(value.replace(/^(?:\.{1,2}\/)+/, ''))) {
      return [{ offset: start, length: end - start }, `this import cannot be loaded: ${first}`];
    }
  }
  const frames = stack
    ?.split('\n')
    .filter((line) => line.includes(pathToFileURL(resolve(file)).href));
  const [, line, column] = /:(\d+):(\d+)\)?$/.exec(frames?.[0] ?? '') ?? [];
  const lines = source.split('\n').slice(0, Number(line ?? 1) - 1);
  const offset = lines.reduce((sum, text) => sum + text.length + 1, 0) + Number(column ?? 1) - 1;
  return [{ offset, length: 1 }, `the file fails when it is loaded: ${first}`];
}
