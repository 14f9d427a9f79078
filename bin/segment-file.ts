import { extname } from 'node:path';
import { readFile } from 'node:fs/promises';
import { parse } from 'yaml';
import { KairosError } from '../domain/errors.ts';
import { describeSegment } from '../domain/segment-words.ts';
import { parseSegment } from '../domain/segment.schema.ts';
import type { Segment } from '../domain/segment.ts';
import type { Db } from '../store/postgres.ts';
import type { SegmentOptions } from '../store/warehouse/segment-sql.ts';
import { checkedFile } from './launch.ts';

export interface WantedSegment {
  segment: Segment;
  options: Omit<SegmentOptions, 'nowMs'>;
  words: string;
}

/** A segment from a YAML file that holds one, or the audience of a campaign file. */
export async function readSegment(db: Db, path: string): Promise<WantedSegment> {
  if (extname(path) !== '.ts') {
    const text = await readFile(path, 'utf8').catch(() => {
      throw new KairosError(
        'SEGMENT_INVALID',
        `There is no file ${path}; expected a segment or a campaign.`,
      );
    });
    const value: unknown = parse(text);
    const isCampaign = typeof value === 'object' && value !== null && 'audience' in value;
    if (!isCampaign) {
      const segment = parseSegment(value);
      return { segment, options: {}, words: describeSegment(segment) };
    }
  }
  const checked = await checkedFile(db, path);
  const { id, audience } = checked.loaded.definition!;
  return {
    segment: audience.segment,
    options: {
      ...(audience.exclude ? { excluded: audience.exclude } : {}),
      ...(audience.score ? { score: audience.score } : {}),
      ...(audience.limit === undefined ? {} : { limit: audience.limit, salt: id }),
    },
    words: describeSegment(audience.segment),
  };
}
