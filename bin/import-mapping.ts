import { readFile } from 'node:fs/promises';
import { parseDocument } from 'yaml';
import { KairosError } from '../domain/errors.ts';
import { formatProblem, problemAt } from '../domain/problem.ts';
import { pathOf } from '../domain/schema-problems.ts';
import type { Mapping } from '../store/import/mapping.ts';
import { checkMapping } from '../store/import/mapping.schema.ts';
import { aliasInItself, placeInYaml, placeOfNode } from './campaign-places.ts';

export interface MappingFile {
  readonly mapping: Mapping;
  /** A problem that was found later, such as a column that a file does not have, as file:line:column with a caret. */
  locate(pointer: string, message: string): string;
}

/** Reads a mapping in YAML. @throws KairosError IMPORT_INVALID with each problem as file:line:column and a caret */
export async function readMapping(path: string): Promise<MappingFile> {
  const source = await readFile(path, 'utf8').catch(() => {
    throw new KairosError('IMPORT_INVALID', `${path}: there is no such mapping file.`);
  });
  const document = parseDocument(source, { prettyErrors: false, strict: true, uniqueKeys: true });
  const problems = [...document.errors, ...document.warnings].map(
    ({ code, message, pos: [start, end] }) => {
      const text =
        code === 'DUPLICATE_KEY'
          ? 'the same field is given twice; expected it once.'
          : `this is not YAML that can be read: ${message}`;
      return problemAt(path, source, { offset: start, length: end - start }, text);
    },
  );
  const loop = problems.length === 0 ? aliasInItself(document) : null;
  if (loop) {
    const place = placeOfNode(loop);
    problems.push(problemAt(path, source, place, 'an alias within its own anchor has no end.'));
  }
  if (problems.length > 0) throw invalid(problems.map(formatProblem));
  const checked = checkMapping(document.toJS({ maxAliasCount: 100 }));
  const locate = (pointer: string, message: string, at: 'key' | 'value' = 'value'): string => {
    const place = placeInYaml(document, pathOf(pointer), at);
    return formatProblem(problemAt(path, source, place, message, pointer));
  };
  if (checked.mapping) return { mapping: checked.mapping, locate };
  throw invalid(checked.problems.map(({ pointer, message, at }) => locate(pointer, message, at)));
}

function invalid(problems: readonly string[]): KairosError {
  return new KairosError('IMPORT_INVALID', problems.join('\n'));
}
