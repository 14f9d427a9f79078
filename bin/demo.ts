import type { Stack } from './supervisor/stack.ts';

/**
 * What `npm start` does once everything works: loads the shop, runs its first campaign, reports.
 * @returns the report as `--json` prints it; null for a shop that starts empty
 */
export function runDemo(
  stack: Stack,
  { say }: { say: (text: string) => void },
): Promise<Record<string, unknown> | null> {
  say(`  Shop ${stack.config.shop} starts empty: \`npm run kairos -- import\` loads yours.`);
  return Promise.resolve(null);
}
