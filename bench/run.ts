import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { cpus, totalmem } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import type { BenchOptions, BenchResult, BenchTable } from './support/result.ts';

const USAGE = `Usage: npm run bench -- NAME [--json] [--recipients N] [--rounds N] [--family NAME] [--file F]

Runs bench/NAME.ts and its peers interleaved, and prints median (min–max) of the rounds.
  --recipients N   messages or people a round; each bench has its own default
  --rounds N       5 by default
  --family NAME    one family of "models" only
  --file F         other data of the same form, where a bench reads a file
  --json           the last line is one object {bench, commit, machine, figures, ratios}

Example: npm run bench -- smtp --recipients 20000 --json
Benches: ${names().join(', ')}`;

/** Files that are no bench: this one, and data of another. */
function names(): string[] {
  return readdirSync(import.meta.dirname)
    .filter((file) => file.endsWith('.ts') && file !== 'run.ts' && !file.endsWith('-data.ts'))
    .map((file) => file.slice(0, -3));
}

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
      recipients: { type: 'string' },
      rounds: { type: 'string', default: '5' },
      family: { type: 'string' },
      file: { type: 'string' },
    },
  });
  const [name] = positionals;
  if (values.help || name === undefined || !names().includes(name)) {
    console.error(USAGE);
    return values.help ? 0 : 2;
  }
  const rounds = wholeNumber('rounds', values.rounds);
  const recipients =
    values.recipients === undefined ? undefined : wholeNumber('recipients', values.recipients);
  const bench = (await import(join(import.meta.dirname, `${name}.ts`))) as {
    run?: (options: BenchOptions) => Promise<BenchResult>;
  };
  if (bench.run === undefined) {
    console.error(
      `bench/${name}.ts exports no run(options); run it by itself: node bench/${name}.ts`,
    );
    return 2;
  }
  const log = (line: string): void => console.error(line);
  const { family, file } = values;
  const result = await bench.run({ rounds, recipients, family, file, log });
  for (const table of result.tables) console.log(tableText(table));
  for (const note of result.notes ?? []) console.log(note);
  if (values.json) {
    const { figures, ratios } = result;
    console.log(
      JSON.stringify(
        { bench: name, commit: commit(), machine: machine(), figures, ratios },
        rounded,
      ),
    );
  }
  return 0;
}

function wholeNumber(option: string, text: string): number {
  if (!/^[1-9]\d{0,8}$/.test(text))
    throw new Error(`--${option} takes a whole number, not ${text}`);
  return Number(text);
}

/** Three significant digits are more than these measurements hold. */
function rounded(_: string, value: unknown): unknown {
  return typeof value === 'number' && !Number.isInteger(value)
    ? Number(value.toPrecision(4))
    : value;
}

function tableText({ title, columns, rows }: BenchTable): string {
  const cells = [columns, ...rows].map((row) => row.map(String));
  const widths = columns.map((_, at) => Math.max(...cells.map((row) => row[at]?.length ?? 0)));
  const line = (row: readonly string[]): string =>
    `| ${widths.map((width, at) => (row[at] ?? '').padEnd(width)).join(' | ')} |`;
  const rule = `|${widths.map((width) => '-'.repeat(width + 2)).join('|')}|`;
  return `\n${title}\n\n${line(cells[0]!)}\n${rule}\n${cells.slice(1).map(line).join('\n')}\n`;
}

function commit(): string {
  const folder = join(import.meta.dirname, '..');
  if (!existsSync(join(folder, '.git'))) return 'unknown';
  const git = (...args: string[]): string =>
    execFileSync('git', ['-C', folder, ...args], { encoding: 'utf8' }).trim();
  try {
    const changed = git('status', '--porcelain', '--untracked-files=no') !== '';
    return git('rev-parse', '--short', 'HEAD') + (changed ? '+changes' : '');
  } catch {
    return 'unknown';
  }
}

function machine(): string {
  const [first] = cpus();
  const memory = Math.round(totalmem() / 2 ** 30);
  return `${cpus().length} × ${first?.model.trim() ?? 'CPU'}, ${memory} GiB, ${process.platform} ${process.arch}, Node ${process.versions.node}`;
}

process.exitCode = await main();
