import type { Command } from 'commander';
import { KairosError } from '../../domain/errors.ts';
import { isRunning, loadConfig } from '../config.ts';
import { type Demo, openDemo } from '../demo/context.ts';

export interface CommandContext extends Demo {
  json: boolean;
  /** Prints text, or with `--json` the object instead. */
  print(object: unknown, text: () => string): void;
}

/** Opens the clients for one command and closes them after it; progress goes to stderr. */
export async function withContext<T>(
  command: Command,
  work: (context: CommandContext) => Promise<T>,
): Promise<T> {
  const { shop, json = false } = command.optsWithGlobals<{ shop?: string; json?: boolean }>();
  const config = loadConfig(shop === undefined ? {} : { shop });
  if (!config.database.external && !isRunning(config.dataDir)) {
    throw new KairosError(
      'CONFIG_INVALID',
      `Kairos does not run with the shop ${config.shop}: start it with \`npm start -- --shop ${config.shop}\` in another terminal, or name the shop that runs with --shop.`,
    );
  }
  const demo = await openDemo(config, (text) => process.stderr.write(`${text}\n`));
  try {
    return await work({
      ...demo,
      json,
      print: (object, text) =>
        process.stdout.write(json ? `${JSON.stringify(object)}\n` : `${text()}\n`),
    });
  } finally {
    await demo.close();
  }
}

/** Rows under their headings; where there are none, a sentence that says so. */
export function listing(
  none: string,
  headings: readonly string[],
  rows: readonly (readonly (string | number | null)[])[],
): string {
  return rows.length === 0 ? none : table([headings, ...rows]);
}

/** A table in plain text: columns as wide as their content, numbers to the right. */
export function table(rows: readonly (readonly (string | number | null)[])[]): string {
  const cells = rows.map((row) =>
    row.map((cell) => (typeof cell === 'number' ? cell.toLocaleString('en-US') : (cell ?? '–'))),
  );
  const widths = (cells[0] ?? []).map((_, column) =>
    Math.max(...cells.map((row) => (row[column] ?? '').length)),
  );
  return cells
    .map((row, index) =>
      row
        .map((cell, column) =>
          typeof rows[index]![column] === 'number'
            ? cell.padStart(widths[column]!)
            : cell.padEnd(widths[column]!),
        )
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

export const example = (text: string): string => `\nExample:\n  npm run kairos -- ${text}\n`;
