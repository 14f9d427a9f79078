import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { ProcessLog } from '../../bin/supervisor/log.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'kairos-log-'));
});
afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

it('gives back complete lines, however the output is cut', () => {
  const log = new ProcessLog(join(folder, 'a.log'));
  expect(log.write('one\ntw')).toEqual(['one']);
  expect(log.write('o\n\nthr')).toEqual(['two', '']);
  expect(log.tail()).toEqual(['one', 'two', '', 'thr']);
  expect(readFileSync(log.path, 'utf8')).toBe('one\ntwo\n\n');
});

it('never takes more than twice its bound on the disk, over restarts too', () => {
  const path = join(folder, 'b.log');
  for (let restart = 0; restart < 3; restart += 1) {
    const log = new ProcessLog(path, 1_000);
    for (let line = 0; line < 100; line += 1) log.write(`${'x'.repeat(98)}\n`);
  }
  expect(statSync(path).size).toBeLessThanOrEqual(1_000);
  expect(statSync(`${path}.1`).size).toBeLessThanOrEqual(1_000);
});

it('bounds a line that never ends', () => {
  const log = new ProcessLog(join(folder, 'c.log'));
  for (let chunk = 0; chunk < 100; chunk += 1) log.write('y'.repeat(10_000));
  expect(log.tail().at(-1)?.length).toBeLessThan(70_000);
});
