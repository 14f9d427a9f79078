import { readFile } from 'node:fs/promises';
import { extname } from 'node:path';
import { parse } from 'yaml';
import { KairosError } from '../domain/errors.ts';
import { formatProblem } from '../domain/problem.ts';
import { resolveSegment } from '../domain/segment-references.ts';
import { describeSegment } from '../domain/segment-words.ts';
import { checkSegment } from '../domain/segment.schema.ts';
import type { Segment } from '../domain/segment.ts';
import type { Db } from '../store/postgres.ts';
import { savedSegments, segmentByName } from '../store/segments.ts';
import type { SegmentOptions } from '../store/warehouse/segment-sql.ts';
import { type FileKind, type LoadedFile, loadFile } from './campaign-file.ts';
import { checkedFile } from './launch.ts';

export interface WantedSegment {
  /** With its references resolved. */
  segment: Segment;
  options: Omit<SegmentOptions, 'nowMs'>;
  words: string;
  /** Where it was saved under one. */
  name: string | null;
}

const SEGMENT: FileKind<Segment> = {
  name: 'segment',
  written: 'export const segment: Segment = {…}',
  invalid: 'SEGMENT_INVALID',
  unknown: 'SEGMENT_UNKNOWN',
  example: 'campaigns/segments/good-customers.yaml',
  check(value) {
    const { segment, problems } = checkSegment(value);
    return { definition: segment, problems };
  },
};

/** A segment by the name it was saved under, from a file that holds one, or the audience of a campaign file. */
export async function readSegment(db: Db, nameOrPath: string): Promise<WantedSegment> {
  const ending = extname(nameOrPath);
  if (!['.ts', '.yaml', '.yml'].includes(ending)) {
    const segment = await segmentByName(db, nameOrPath);
    return { segment, options: {}, words: describeSegment(segment), name: nameOrPath };
  }
  if (!(await isCampaign(nameOrPath, ending))) {
    const segment = await readSegmentFile(db, nameOrPath);
    return { segment, options: {}, words: describeSegment(segment), name: null };
  }
  const checked = await checkedFile(db, nameOrPath);
  const { id, audience } = checked.loaded.definition!;
  return {
    segment: audience.segment,
    options: {
      ...(audience.exclude ? { excluded: audience.exclude } : {}),
      ...(audience.score ? { score: audience.score } : {}),
      ...(audience.limit === undefined ? {} : { limit: audience.limit, salt: id }),
    },
    words: describeSegment(audience.segment),
    name: null,
  };
}

/** A segment from its own file, resolved; every problem as file:line:column. @throws KairosError SEGMENT_INVALID */
export async function readSegmentFile(db: Db, path: string): Promise<Segment> {
  const loaded = fine(await loadFile(path, SEGMENT));
  const { segment, problems } = resolveSegment(loaded.definition!, await savedSegments(db));
  if (segment) return segment;
  throw invalid(problems.map(({ pointer, message }) => loaded.problem(pointer, message)));
}

/** The same as written, to be saved: what it speaks of is looked up when it is asked. */
export async function readWrittenSegment(path: string): Promise<Segment> {
  return fine(await loadFile(path, SEGMENT)).definition!;
}

function fine(loaded: LoadedFile<Segment>): LoadedFile<Segment> {
  if (loaded.problems.length === 0) return loaded;
  throw invalid(loaded.problems);
}

function invalid(problems: readonly Parameters<typeof formatProblem>[0][]): KairosError {
  return new KairosError('SEGMENT_INVALID', problems.map(formatProblem).join('\n'), { problems });
}

/** A campaign file is one by its audience; a file that cannot be read is said to be no segment. */
async function isCampaign(path: string, ending: string): Promise<boolean> {
  const text = await readFile(path, 'utf8').catch(() => '');
  if (ending === '.ts') return /\bexport\s+const\s+campaign\b|defineCampaign\(/.test(text);
  try {
    const value: unknown = parse(text);
    return typeof value === 'object' && value !== null && 'audience' in value;
  } catch {
    return false;
  }
}
