import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadLanes, readLaneFile } from '../../bin/lanes.ts';
import { laneFinder } from '../../domain/lane.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'kairos-lanes-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

function file(text: string): string {
  const path = join(folder, 'lanes.yaml');
  writeFileSync(path, text);
  return path;
}

function problem(text: string): string {
  try {
    readLaneFile(file(text));
  } catch (error) {
    return (error as Error).message.replace(folder, '');
  }
  throw new Error('it was taken');
}

describe('the lane file', () => {
  it('adds domains, moves them from lane to lane, and sets rates and warm-up', () => {
    const lanesFile = file(`
gmail:
  domains: [gmail.shop.test, hotmail.com]
  ratePerSecond: 20
  concurrency: 50
  warmUp: { start: 500, factor: 1.5, ceiling: 100000 }
`);
    const lanes = loadLanes({ shop: 'none', lanesFile });
    expect(lanes.gmail).toMatchObject({
      ratePerSecond: 20,
      concurrency: 50,
      warmUp: { start: 500, factor: 1.5, ceiling: 100_000 },
    });
    const find = laneFinder(lanes);
    expect(['gmail.com', 'gmail.shop.test', 'hotmail.com', 'live.com'].map(find)).toEqual([
      'gmail',
      'gmail',
      'gmail',
      'microsoft',
    ]);
  });

  it('an empty file, and none, are the default; the sample shop has its own domains', () => {
    expect(readLaneFile(file('# nothing yet\n'))).toEqual({});
    const find = laneFinder(loadLanes({ shop: 'sample', lanesFile: null }));
    expect(find('gmail.example.test')).toBe('gmail');
    expect(find('outlook.example.test')).toBe('microsoft');
    const other = laneFinder(loadLanes({ shop: 'none', lanesFile: null }));
    expect(other('gmail.example.test')).toBe('other');
  });

  it.each([
    ['gmial: {}', 'gmail'],
    ['gmail: { ratePerSecond: fast }', 'messages a second'],
    ['gmail: { concurrency: 0 }', 'whole number from 1'],
    ['gmail: { domains: [Gmail.com] }', 'lower case'],
    ['gmail: { warmUp: { start: 5, factor: 0.5, ceiling: 9 } }', 'from 1 to 10'],
    ['gmail: { warmUp: { start: 5 } }', 'expected'],
    ['gmail: { domains: [a.test] }\nyahoo: { domains: [a.test] }', 'in the lane gmail already'],
    ['gmail: [', 'not YAML'],
    ['- gmail', 'lanes by name'],
  ])('says of %j where and what: %s', (text, said) => {
    const sentence = problem(text);
    expect(sentence).toMatch(/^\/lanes\.yaml:\d+:\d+: /);
    expect(sentence).toContain(said);
  });

  it('that is not there is said', () => {
    expect(() => readLaneFile(join(folder, 'none.yaml'))).toThrow(/no lane file .*KAIROS_LANES/);
  });
});
