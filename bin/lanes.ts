import { existsSync, readFileSync, statSync } from 'node:fs';
import { parseDocument } from 'yaml';
import { KairosError } from '../domain/errors.ts';
import { type LaneOverrides, checkLanes, laneTable } from '../domain/lane.schema.ts';
import type { LaneTable } from '../domain/lane.ts';
import { problemAt } from '../domain/problem.ts';
import { pathOf } from '../domain/schema-problems.ts';
import { SAMPLE_LANES } from '../shop/lanes.ts';
import { placeInYaml } from './campaign-places.ts';
import type { Config } from './config.ts';

/** Larger than any list of domains that a person keeps. */
const FILE_BYTES_MAX = 1_048_576;

/** The lanes of this shop: the default table, the sample shop's domains, and the lane file over both. */
export function loadLanes(config: Pick<Config, 'shop' | 'lanesFile'>): LaneTable {
  const overs: LaneOverrides[] = [];
  if (config.shop === 'sample') overs.push(SAMPLE_LANES);
  if (config.lanesFile !== null) overs.push(readLaneFile(config.lanesFile));
  return laneTable(...overs);
}

/** Reads a lane file. Throws `CONFIG_INVALID` with file:line:column and a caret for each problem. */
export function readLaneFile(path: string): LaneOverrides {
  if (!existsSync(path) || !statSync(path).isFile()) {
    throw new KairosError(
      'CONFIG_INVALID',
      `There is no lane file ${path}; expected a YAML file: make it, or unset KAIROS_LANES.`,
    );
  }
  if (statSync(path).size > FILE_BYTES_MAX) {
    throw new KairosError(
      'CONFIG_INVALID',
      `The lane file ${path} is too large; expected at most ${FILE_BYTES_MAX} bytes.`,
    );
  }
  const source = readFileSync(path, 'utf8');
  const document = parseDocument(source, { prettyErrors: false, strict: true, uniqueKeys: true });
  const [fault] = [...document.errors, ...document.warnings];
  if (fault) {
    const place = { offset: fault.pos[0], length: fault.pos[1] - fault.pos[0] };
    throw refused([
      problemAt(path, source, place, `this is not YAML that can be read: ${fault.message}`),
    ]);
  }
  // An empty file, or one of comments only, says nothing about any lane.
  const { lanes, problems } = checkLanes(document.toJS({ maxAliasCount: 100 }) ?? {});
  if (lanes) return lanes;
  throw refused(
    problems.map(({ pointer, at, message }) =>
      problemAt(path, source, placeInYaml(document, pathOf(pointer), at), message, pointer),
    ),
  );
}

function refused(problems: readonly ReturnType<typeof problemAt>[]): KairosError {
  const text = problems.map(
    ({ file, line, column, message, excerpt }) =>
      `${file}:${line}:${column}: ${message}${excerpt ? `\n${excerpt}` : ''}`,
  );
  return new KairosError('CONFIG_INVALID', text.join('\n'));
}
