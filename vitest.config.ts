import { defineConfig } from 'vitest/config';

/** Folders whose tests need no service; everything else gets PostgreSQL and may start more. */
const UNIT = ['architecture', 'campaigns', 'domain', 'models', 'templates'];
/** Long ones: `npm run test:kill` and `npm run test:long`. */
const SEPARATE = ['kill', 'long'];

const files = (folders: readonly string[]): string[] =>
  folders.flatMap((folder) => [`test/${folder}/**/*.test.ts`, `test/${folder}.test.ts`]);

const services = {
  // Processes of their own: native modules (chDB, Temporal's core) do not live in worker threads.
  pool: 'forks',
  maxWorkers: 2,
  globalSetup: 'test/support/services.ts',
  hookTimeout: 120_000,
} as const;

export default defineConfig({
  test: {
    reporters: ['default', './test/support/summary-reporter.ts'],
    projects: [
      {
        test: {
          name: 'unit',
          include: [...files(UNIT), 'test/**/*.unit.test.ts'],
          testTimeout: 20_000,
          maxWorkers: 2,
        },
      },
      {
        test: {
          ...services,
          name: 'services',
          include: ['test/**/*.test.ts'],
          exclude: [...files([...UNIT, ...SEPARATE]), 'test/**/*.unit.test.ts'],
          testTimeout: 60_000,
        },
      },
      {
        test: {
          ...services,
          name: 'kill',
          include: files(['kill']),
          testTimeout: 3_600_000,
          maxWorkers: 1,
        },
      },
      {
        test: {
          ...services,
          name: 'long',
          include: files(['long']),
          testTimeout: 3_600_000,
          maxWorkers: 1,
        },
      },
    ],
  },
});
