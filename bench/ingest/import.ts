import {
  createReadStream,
  createWriteStream,
  existsSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { createGunzip } from 'node:zlib';
import { migrate } from '../../store/migrate.ts';
import { connectPostgres } from '../../store/postgres.ts';
import { startStack } from '../../bin/supervisor/stack.ts';
import type { Config } from '../../bin/config.ts';
import type { ImportReport } from '../../store/import/report.ts';
import { runChild } from '../support/child.ts';

export interface ImportRateOptions {
  /** Rows of the file; 1,000,000 by default. */
  readonly rows?: number | undefined;
  readonly log?: ((line: string) => void) | undefined;
}

export interface ImportRate {
  readonly rows: number;
  /** From the start of `kairos import` to its end. */
  readonly seconds: number;
  readonly rowsPerSecond: number;
  /** Whether the rows are those of the real data set, repeated under other order numbers. */
  readonly isReal: boolean;
  readonly report: ImportReport;
}

const HERE = import.meta.dirname;
const DATA = resolve(HERE, '../../../shared/data/online-retail/online-retail.csv.gz');

const MAPPING = `kind: orders
format: { timeZone: Europe/London }
fields:
  order: InvoiceNo
  customer: CustomerID
  at: InvoiceDate
  currency: { value: GBP }
  sku: StockCode
  quantity: Quantity
  price: UnitPrice
lineProperties: { name: Description }
`;

/**
 * How many rows of Online Retail's form `kairos import orders` takes in a second: a file of order lines, a fresh
 * PostgreSQL that waits for the disk as in production, and the command in a process of its own. Only PostgreSQL and
 * Temporal run beside it.
 */
export async function importRate(options: ImportRateOptions = {}): Promise<ImportRate> {
  const { rows = 1_000_000, log = () => {} } = options;
  const folder = mkdtempSync(join(tmpdir(), 'kairos-bench-import-'));
  const file = join(folder, 'orders.csv');
  const map = join(folder, 'orders.yaml');
  const dataDir = join(folder, 'data');
  const stack = await startStack({
    dataDir,
    shop: 'none',
    only: ['temporal', 'postgres'],
    ports: 'random',
    migrate: migrateTables,
  });
  try {
    writeFileSync(map, MAPPING);
    const isReal = await writeOrders(file, rows);
    log(`${rows} rows of ${isReal ? 'Online Retail' : 'generated orders'} are written`);
    const began = performance.now();
    const { stdout } = await runChild(
      process.execPath,
      [join(HERE, '../../bin/kairos.ts'), 'import', 'orders', file, '--map', map, '--json'],
      { ...process.env, KAIROS_DATA_DIR: dataDir, KAIROS_SHOP: 'none' },
    );
    const seconds = (performance.now() - began) / 1_000;
    const postgres = stack.pid('postgres');
    log(`CPU of PostgreSQL and its sessions: ${postgres === null ? '?' : cpuSeconds(postgres)} s`);
    const report = JSON.parse(stdout.trim().split('\n').at(-1)!) as ImportReport;
    return { rows, seconds, rowsPerSecond: Math.round(rows / seconds), isReal, report };
  } finally {
    await stack.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Of a process and of its children that have ended, by the kernel's ticks of 10 ms. */
function cpuSeconds(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return [11, 12, 13, 14].reduce((sum, at) => sum + Number(fields[at]), 0) / 100;
}

async function migrateTables(config: Config): Promise<string> {
  const db = connectPostgres(config.database.url.reveal(), 'bench', 1);
  try {
    return `${(await migrate(db)).length} migrations`;
  } finally {
    await db.end();
  }
}

/** Repeats the real rows under other order numbers until there are enough, or makes rows like them. */
async function writeOrders(file: string, rows: number): Promise<boolean> {
  const isReal = existsSync(DATA);
  const out = createWriteStream(file);
  const write = async (text: string): Promise<void> => {
    if (!out.write(text)) await once(out, 'drain');
  };
  await write(
    'InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n',
  );
  let written = 0;
  for (let round = 0; written < rows; round += 1) {
    let buffer = '';
    for await (const line of isReal ? realLines() : generatedLines()) {
      // The number of the round behind the order's keeps the mark of a cancellation in front.
      const comma = line.indexOf(',');
      buffer += `${line.slice(0, comma)}${round === 0 ? '' : `-${round}`}${line.slice(comma)}\n`;
      written += 1;
      if (buffer.length > 1 << 18) {
        await write(buffer);
        buffer = '';
      }
      if (written === rows) break;
    }
    await write(buffer);
  }
  out.end();
  await once(out, 'finish');
  return isReal;
}

async function* realLines(): AsyncGenerator<string> {
  const lines = createInterface({ input: createReadStream(DATA).pipe(createGunzip()) });
  let isHeader = true;
  for await (const line of lines) {
    if (!isHeader) yield line;
    isHeader = false;
  }
}

/** About 21 lines an order, a fifth of the orders without a customer, one order in seven a return. */
function* generatedLines(): Generator<string> {
  for (let order = 0; order < 25_000; order += 1) {
    const isReturn = order % 7 === 6;
    const day = new Date(Date.UTC(2025, 0, 1) + order * 1_260_000).toISOString().slice(0, 19);
    const customer = order % 5 === 4 ? '' : String(12_000 + ((order * 7919) % 4_300));
    for (let line = 0; line < 21; line += 1) {
      const item = (order * 31 + line * 977) % 4_000;
      const quantity = (isReturn ? -1 : 1) * (1 + ((order + line) % 12));
      yield `${isReturn ? 'C' : ''}${536_365 + order},${20_000 + item},GIFT NUMBER ${item} IN RED,${quantity},${day},${(0.5 + (item % 900) / 100).toFixed(2)},${customer},United Kingdom`;
    }
  }
}

if (import.meta.main) {
  const { report, ...rate } = await importRate({
    rows: Number(process.argv[2] ?? 1_000_000),
    log: console.error,
  });
  console.log(JSON.stringify({ ...rate, report: { ...report, files: [] } }));
}
