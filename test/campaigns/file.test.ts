import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { checkCampaignFile } from '../../bin/campaign-check.ts';
import { loadCampaign } from '../../bin/campaign-file.ts';
import { formatProblem } from '../../domain/problem.ts';

let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'campaign-'));
});
afterAll(() => rm(folder, { recursive: true }));

const CAMPAIGNS = join(import.meta.dirname, '../../campaigns');
const shop = { url: 'https://shop.example/' };

async function problemsOf(name: string, source: string): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, source);
  const { definition, problems } = await loadCampaign(path);
  expect(definition === null).toBe(problems.length > 0);
  return problems.map(formatProblem).join('\n').replaceAll(`${folder}/`, '');
}

const YAML = `id: letter
name: Letter
audience: { segment: { cluster: regulars } }
variants:
  - { id: a, template: newsletter, subject: News }
from: { name: Shop, address: hello@shop.example }
goal: { event: Order Completed, window: 7d }
`;
const TS = `export const campaign = {
  id: 'letter',
  name: 'Letter',
  audience: { segment: { cluster: 'regulars' } },
  variants: [{ id: 'a', template: 'newsletter', subject: 'News' }],
  from: { name: 'Shop', address: 'hello@shop.example' },
  goal: { event: 'Order Completed', window: '7d' },
};
`;

describe('the campaigns of this repository', () => {
  it('are all right, with their templates, and need no field of a person', async () => {
    const files = (await readdir(CAMPAIGNS)).filter((file) => /\.(?:ts|yaml)$/.test(file));
    expect(files).toContain('win-back.ts');
    for (const file of files) {
      const checked = await checkCampaignFile(join(CAMPAIGNS, file), { shop });
      expect(checked.problems.map(formatProblem)).toEqual([]);
      expect(checked.templates.size).toBe(checked.loaded.definition?.variants.length);
      expect(checked.fieldsWithoutFallback).toEqual([]);
    }
  });
});

describe('a campaign file', () => {
  it('means the same in both spellings', async () => {
    expect(await problemsOf('same.yaml', YAML)).toBe('');
    expect(await problemsOf('same.ts', TS)).toBe('');
    const [yaml, typescript] = await Promise.all(
      ['same.yaml', 'same.ts'].map((name) => loadCampaign(join(folder, name))),
    );
    expect(yaml!.definition).toEqual(typescript!.definition);
  });

  it('is read again when it has changed', async () => {
    expect(await problemsOf('again.ts', TS)).toBe('');
    expect(await problemsOf('again.ts', TS.replace("'7d'", "'7y'"))).toContain(
      'goal.window is "7y"',
    );
  });

  it('shows a wrong value of TypeScript with its place', async () => {
    const source = TS.replace("id: 'letter',", "id: 'letter',\n  holdout: 1.5,");
    expect(await problemsOf('value.ts', source)).toMatchInlineSnapshot(`
      "value.ts:3:12: holdout is 1.5; expected a share between 0 and 0.5. Write 0.1 for ten percent.
         3 |   holdout: 1.5,
           |            ^^^"
    `);
  });

  it('shows a wrong value of YAML with its place', async () => {
    expect(await problemsOf('value.yaml', `${YAML}holdout: 1.5\n`)).toMatchInlineSnapshot(`
      "value.yaml:8:10: holdout is 1.5; expected a share between 0 and 0.5. Write 0.1 for ten percent.
         8 | holdout: 1.5
           |          ^^^"
    `);
  });

  it('points at the name of an unknown field, and at what lacks one', async () => {
    const source = YAML.replace('window: 7d', 'windw: 7d');
    expect(await problemsOf('key.yaml', source)).toMatchInlineSnapshot(`
      "key.yaml:7:7: goal.window is missing; expected a span: a number with m, h, d or w, above 0 and at most a year. Such as "14d".
         7 | goal: { event: Order Completed, windw: 7d }
           |       ^
      key.yaml:7:33: goal has an unknown field "windw"; did you mean "window"?
         7 | goal: { event: Order Completed, windw: 7d }
           |                                 ^^^^^"
    `);
  });

  it('follows constants, defineCampaign, "as const" and satisfies to where a value was written', async () => {
    const source = `
const offer = { id: 'Ten', label: 'x' } as const;
const variants = [{ id: 'a', template: 'newsletter', subject: 'News', offer }] satisfies unknown[];
const defineCampaign = <T>(campaign: T): T => campaign;
export default defineCampaign({
  id: 'letter', name: 'Letter', 'audience': { segment: { cluster: 'regulars' } }, variants,
  from: { name: 'Shop', address: 'hello@shop.example' }, goal: { event: 'x', window: ('7y') },
});
`;
    expect(await problemsOf('constants.ts', source)).toMatchInlineSnapshot(`
      "constants.ts:2:21: variants[0].offer.id is "Ten"; expected an id of lower-case letters, digits and single hyphens, at most 64. Such as "win-back".
         2 | const offer = { id: 'Ten', label: 'x' } as const;
           |                     ^^^^^
      constants.ts:7:86: goal.window is "7y"; expected a span: a number with m, h, d or w, above 0 and at most a year. Such as "14d".
         7 |   from: { name: 'Shop', address: 'hello@shop.example' }, goal: { event: 'x', window: ('7y') },
           |                                                                                      ^^^^^^"
    `);
  });

  it('follows aliases, whose number is bounded', async () => {
    const aliased = YAML.replace('{ id: a,', '&one { id: a,').replace('goal:', '  - *one\ngoal:');
    const moved =
      aliased.replace(/from: .*\n/, '') + 'from: { name: Shop, address: a@b.example }\n';
    expect(await problemsOf('alias.yaml', moved)).toContain('variants[1].id is "a" a second time');

    const levels = Array.from({ length: 9 }, (_, level) => {
      const inner = level === 0 ? 'x' : `*l${level - 1}`;
      return `l${level}: &l${level} [${Array.from({ length: 9 }, () => inner).join(', ')}]`;
    });
    expect(await problemsOf('bomb.yaml', levels.join('\n'))).toContain('aliases repeat too much');
    expect(await problemsOf('circle.yaml', 'id: &x\n  a: [*x]\n')).toContain(
      'circle.yaml:2:7: the alias stands inside of what it repeats',
    );
  });

  it.each([
    ['twice.yaml', 'id: a\nid: b\n'],
    ['open.yaml', 'id: [a\nname: b\n'],
    ['tag.yaml', 'id: !!js/function "x"\n'],
    ['two.yaml', 'id: a\n---\nid: b\n'],
    ['empty.yaml', ''],
    ['comma.ts', 'export const campaign = {\n  id: 4,,\n};\n'],
    ['import.ts', "import { x } from './nowhere.ts';\nexport const campaign = { x };\n"],
    ['nothing.ts', 'export const other = 1;\n'],
  ])('that cannot be read has a place: %s', async (name, source) => {
    expect(await problemsOf(name, source)).toMatchSnapshot();
  });

  it('that fails while it is loaded has the place where it failed', async () => {
    const source =
      "export const campaign = {\n  id: (() => { throw new Error('no id'); })(),\n};\n";
    expect(await problemsOf('throws.ts', source)).toContain(
      'the file fails when it is loaded: no id',
    );
  });

  it('must be there, of a known kind, and no larger than people write', async () => {
    await expect(loadCampaign(join(folder, 'none.ts'))).rejects.toMatchObject({
      code: 'CAMPAIGN_UNKNOWN',
    });
    await writeFile(join(folder, 'campaign.json'), '{}');
    await expect(loadCampaign(join(folder, 'campaign.json'))).rejects.toThrow('.ts or .yaml');
    await writeFile(join(folder, 'large.yaml'), '#'.repeat(300_000));
    await expect(loadCampaign(join(folder, 'large.yaml'))).rejects.toThrow('at most 262144');
  });

  it('shows what is wrong with the subject in the file, and with the template in its folder', async () => {
    const source = YAML.replace('subject: News', 'subject: "{{person.firstname}} {{shop.nmae}}"');
    await writeFile(join(folder, 'subject.yaml'), source);
    const { problems } = await checkCampaignFile(join(folder, 'subject.yaml'), { shop });
    expect(problems.map((problem) => formatProblem({ ...problem, file: 'f' })))
      .toMatchInlineSnapshot(`
        [
          "f:5:45: subject: there is no field "nmae" of shop; did you mean "name"?
           5 |   - { id: a, template: newsletter, subject: "{{person.firstname}} {{shop.nmae}}" }
             |                                             ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^",
        ]
      `);
  });

  it('names the fields that a person may lack', async () => {
    const source = YAML.replace('subject: News', 'subject: "For {{person.city}}"');
    await writeFile(join(folder, 'fields.yaml'), source);
    const checked = await checkCampaignFile(join(folder, 'fields.yaml'), { shop });
    expect(checked.problems).toEqual([]);
    expect(checked.fieldsWithoutFallback).toEqual(['person.city']);
  });
});
