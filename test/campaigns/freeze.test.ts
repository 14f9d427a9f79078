import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { freezeCampaign } from '../../domain/campaign-freeze.ts';
import { canonicalJson } from '../../domain/canonical.ts';
import { aCampaign } from './campaign-builder.ts';

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');
const freeze = (changes: object = {}, hash = 'h1') =>
  freezeCampaign(aCampaign(changes), { plain: hash }, sha256);

describe('a frozen campaign', () => {
  it('has every default', () => {
    expect(freeze()).toEqual({
      ...aCampaign(),
      variants: [{ id: 'plain', template: 'win-back', subject: 'New for you', weight: 1 }],
      goal: { event: 'Order Completed', window: '14d', value: 'total' },
      holdout: 0.1,
      driftTolerance: 0.1,
      deadline: '7d',
      schedule: { kind: 'now' },
      approval: false,
      steps: [{ kind: 'mail' }],
      hash: freeze().hash,
    });
  });

  it('keeps what the file says', () => {
    expect(freeze({ holdout: 0, deadline: '1d' })).toMatchObject({ holdout: 0, deadline: '1d' });
  });

  it('cannot be changed, and leaves the definition as it was', () => {
    const definition = aCampaign();
    const frozen = freezeCampaign(definition, { plain: 'h1' }, sha256);
    expect(() => ((frozen.variants[0] as { weight: number }).weight = 9)).toThrow(TypeError);
    expect(Object.isFrozen(definition.variants)).toBe(false);
  });

  it('has another hash when a word, a default or a template changes, and the same when a default is written out', () => {
    const { hash } = freeze();
    expect(freeze({ holdout: 0.1, schedule: { kind: 'now' } }).hash).toBe(hash);
    expect(freeze({ name: 'Win back!' }).hash).not.toBe(hash);
    expect(freeze({}, 'h2').hash).not.toBe(hash);
  });

  it('needs a template hash for each variant', () => {
    expect(() => freezeCampaign(aCampaign(), {}, sha256)).toThrow(
      'variant "plain" has no template hash',
    );
  });
});

describe('canonical JSON', () => {
  it('sorts by UTF-16 units and writes numbers and strings as RFC 8785 does', () => {
    const value = {
      '\u20ac': 'Euro Sign',
      '\r': 'Carriage Return',
      '\u{1f600}': 'Emoji',
      1: 'One',
      numbers: [333333333.3333333, 1e30, 4.5, 2e-3, 1e-27, -0],
      string: '\u20ac$\u000f\nA\'B"\\"/',
      literals: [null, true, false],
      skipped: undefined,
    };
    expect(canonicalJson(value)).toBe(
      '{"\\r":"Carriage Return","1":"One","literals":[null,true,false],' +
        '"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27,0],' +
        '"string":"\u20ac$\\u000f\\nA\'B\\"\\\\\\"/","\u20ac":"Euro Sign","\u{1f600}":"Emoji"}',
    );
  });

  it('is the same for every order of the members, and parses back to the same', () => {
    const shuffled = (value: unknown): unknown => {
      if (Array.isArray(value)) return value.map(shuffled);
      if (typeof value !== 'object' || value === null) return value;
      const entries = Object.entries(value).toReversed();
      return Object.fromEntries(entries.map(([key, member]) => [key, shuffled(member)]));
    };
    fc.assert(
      fc.property(fc.jsonValue(), (json) => {
        // Lone surrogates have no UTF-8 form and are refused.
        fc.pre(JSON.stringify(json).isWellFormed() && !/\\ud[89a-f]/.test(JSON.stringify(json)));
        const text = canonicalJson(json);
        expect(canonicalJson(shuffled(json))).toBe(text);
        expect(canonicalJson(JSON.parse(text))).toBe(text);
      }),
    );
  });

  it.each([[Number.NaN], [Infinity], [() => 1], [new Date(0)], [10n], ['\ud800'], [new Map()]])(
    'has no form for %s',
    (value) => {
      expect(() => canonicalJson({ value })).toThrow(TypeError);
    },
  );
});
