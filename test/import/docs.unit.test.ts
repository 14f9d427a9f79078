import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { describe, expect, it } from 'vitest';
import { checkMapping } from '../../store/import/mapping.schema.ts';
import { RULES } from '../../store/import/rules.ts';

const page = readFileSync(join(import.meta.dirname, '../../docs/how-to/import.md'), 'utf8');
const examples = [...page.matchAll(/```yaml\n(.*?)```/gs)].map(([, yaml]) => yaml!);
/** Sources in the first column of a table, as `{…}`. */
const sources = [...page.matchAll(/^\| `(\{.*?\})` \|/gm)].map(([, source]) => source!);

describe('how to import', () => {
  it.each(examples)('has an example that is a mapping: %#', (yaml) => {
    expect(checkMapping(parse(yaml)).problems).toEqual([]);
  });

  it.each(sources)('has a source that is one: %s', (source) => {
    const yaml = `kind: customers\nfields: {id: ${source}}`;
    expect(checkMapping(parse(yaml)).problems).toEqual([]);
  });

  it('names every rule', () => {
    expect(examples.length).toBeGreaterThan(2);
    expect(sources.length).toBeGreaterThan(6);
    for (const rule of Object.keys(RULES)) expect(page).toContain(`| \`${rule}\``);
  });
});
