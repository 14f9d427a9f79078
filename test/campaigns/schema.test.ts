import { readFile } from 'node:fs/promises';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type * as z from 'zod';
import type { CampaignDefinition } from '../../domain/campaign.ts';
import { campaignJsonSchema, campaignSchema, checkCampaign } from '../../domain/campaign.schema.ts';
import { aCampaign } from './campaign-builder.ts';

const sentences = (changes: object): string[] =>
  checkCampaign(aCampaign(changes)).problems.map(
    ({ pointer, at, message }) => `${at} ${pointer}: ${message}`,
  );

describe('the campaign schema', () => {
  it('takes the smallest campaign and gives back the same', () => {
    expect(checkCampaign(aCampaign())).toEqual({ definition: aCampaign(), problems: [] });
  });

  it('knows the same fields as the type', () => {
    type Same<A, B> = [A] extends [B] ? ([B] extends [A] ? true : false) : false;
    type Parsed = z.infer<typeof campaignSchema>;
    // The type checker is the test.
    const campaign: Same<keyof Parsed, keyof CampaignDefinition> = true;
    const variant: Same<
      keyof Parsed['variants'][number],
      keyof CampaignDefinition['variants'][number]
    > = true;
    const audience: Same<keyof Parsed['audience'], keyof CampaignDefinition['audience']> = true;
    expect([campaign, variant, audience]).toEqual([true, true, true]);
  });

  it('takes every optional field', () => {
    const full = aCampaign({
      audience: {
        segment: { cluster: 'a' },
        exclude: [{ trait: 'country', is: 'eq', value: 'DE' }],
        score: { model: 'order-30d', min: 0.1, max: 0.9 },
        limit: 1000,
      },
      holdout: 0,
      replyTo: 'answers@shop.example',
      schedule: { kind: 'local', date: '2026-12-01', time: '09:30' },
      caps: { perDay: 1, perWeek: 3 },
      quietHours: { from: 21, to: 8 },
      approval: true,
      budget: { total: 500, perMessage: 0.001 },
      ratePerSecond: 50,
      deadline: '3d',
      driftTolerance: 0.05,
      pilot: { share: 0.2, wait: '4h', choose: 'orders' },
      variants: ['a', 'b'].map((id) => ({
        id,
        template: 't',
        subject: 's',
        weight: 2,
        preheader: 'p',
      })),
      steps: [{ kind: 'mail' }],
    });
    expect(checkCampaign(full).problems).toEqual([]);
  });

  it.each([
    [{ holdout: 1.5 }],
    [{ holdot: 0.1 }],
    [{ segment: {} }],
    [{ audience: { segmnt: { cluster: 'a' } } }],
    [{ audience: { segment: { any: [{ event: 'Order Completed', is: 'gte', value: 2 }] } } }],
    [{ audience: { segment: { cluster: 'a' }, exclude: [{ trait: 'consent' }] } }],
    [{ variants: [] }],
    [{ variants: [1, 2].map(() => ({ id: 'a', template: 't', subject: 's' })) }],
    [{ variants: [{ id: 'a', template: '../etc', subject: 's' }] }],
    [{ variants: [{ id: 'a', template: 't', subject: 'a\r\nBcc: all' }] }],
    [{ pilot: { share: 0.2, wait: '4h', choose: 'clicks' } }],
    [{ schedule: { kind: 'later' } }],
    [{ schedule: {} }],
    [{ schedule: { kind: 'at', at: '2026-12-01 09:00' } }],
    [{ schedule: { kind: 'local', date: '2026-02-30', time: '9:00' } }],
    [{ schedule: { kind: 'now', at: 'x' } }],
    [{ quietHours: { from: 8, to: 8 } }],
    [{ quietHours: { from: 24, to: 8 } }],
    [{ caps: { perDay: 3, perWeek: 1 } }],
    [{ goal: { event: 'Order Completed', window: '14 days' } }],
    [{ deadline: '0d' }],
    [{ steps: [{ kind: 'mail' }, { kind: 'mail' }] }],
    [{ audience: { segment: { cluster: 'a' }, score: { model: 'm', min: 2, max: 1 } } }],
    [{ budget: { total: 0, perMessage: -1 } }],
  ])('says what is wrong with %j', (changes) => {
    expect(sentences(changes)).toMatchSnapshot();
  });

  it('says what a whole file lacks', () => {
    expect(checkCampaign([]).problems).toMatchObject([
      { pointer: '', message: expect.stringContaining('the campaign is an empty list; expected') },
    ]);
    expect(checkCampaign({}).problems.map(({ pointer }) => pointer)).toEqual([
      '/id',
      '/name',
      '/audience',
      '/variants',
      '/from',
      '/goal',
    ]);
  });

  it('keeps to the grammar of addresses, and shows none', () => {
    for (const address of [
      '"a b"@x.example',
      'a@b',
      'A <a@b.example>',
      'a@b.example,c@d.example',
    ]) {
      const [sentence, ...more] = sentences({ from: { name: 'Shop', address }, replyTo: address });
      expect(sentence).toMatch(/^value \/from\/address: from.address does not keep to the grammar/);
      expect(more).toHaveLength(1);
      expect(sentence).not.toContain(address);
    }
  });

  it('refuses what is not plain data', () => {
    expect(sentences({ name: () => 'x' })).toEqual([
      'value /name: name is a function; expected a name, one line of 1 to 120 characters.',
    ]);
  });

  it('names the unknown field for any misspelling by one letter', () => {
    const fields = Object.keys(campaignSchema.shape);
    fc.assert(
      fc.property(fc.constantFrom(...fields), fc.nat(), (field, at) => {
        const index = at % field.length;
        const typo = field.slice(0, index) + field[index] + field.slice(index);
        const { problems } = checkCampaign({ ...aCampaign(), [typo]: 1 });
        expect(problems).toContainEqual({
          pointer: `/${typo}`,
          at: 'key',
          message: `the campaign has an unknown field "${typo}"; did you mean "${field}"?`,
        });
      }),
    );
  });

  it('never throws, whatever the value, and has at least one sentence where it refuses', () => {
    fc.assert(
      fc.property(fc.anything({ withNullPrototype: true }), (value) => {
        const { definition, problems } = checkCampaign(value);
        expect(definition === null).toBe(problems.length > 0);
        for (const { message } of problems) expect(message).not.toMatch(/Invalid|undefined/);
      }),
    );
  });

  it('is exported for editors, and the export is current', async () => {
    const file = new URL('../../docs/reference/campaign.schema.json', import.meta.url);
    // Where this fails: node bin/campaign-schema.ts > docs/reference/campaign.schema.json
    expect(JSON.parse(await readFile(file, 'utf8'))).toEqual(
      JSON.parse(JSON.stringify(campaignJsonSchema())),
    );
  });

  it('has each field in the reference', async () => {
    const page = new URL('../../docs/reference/campaign.md', import.meta.url);
    const text = await readFile(page, 'utf8');
    for (const field of Object.keys(campaignSchema.shape)) expect(text).toContain(`\`${field}\``);
  });
});
