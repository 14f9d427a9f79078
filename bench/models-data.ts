import { existsSync, readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { parse } from 'csv-parse/sync';
import { asyncBufferFromFile, parquetReadObjects } from 'hyparquet';
import { compressors } from 'hyparquet-compressors';
import { MS_PER_DAY } from '../domain/clock.ts';
import type { Matrix } from '../models/matrix.ts';
import { matrixOf } from '../models/matrix.ts';
import type { Dataset } from '../models/train-order.ts';

/** Public research data as matrices, for benches and tests; where it is absent they say so. */
const FOLDER = new URL('../../shared/data/', import.meta.url);

export function hasData(path: string): boolean {
  return existsSync(new URL(path, FOLDER));
}

type Row = Readonly<Record<string, string>>;

function csv(path: string): Row[] {
  const text = gunzipSync(readFileSync(new URL(path, FOLDER)));
  return parse(text, { columns: true }) as Row[];
}

export const BANK = 'bank-marketing/bank.csv.gz';

/** Bank Marketing without `duration`, text columns one-hot: 62 columns, split by its fold. */
export function bankMarketing(): Record<'train' | 'test', { X: Matrix; y: Float64Array }> {
  const rows = csv(BANK);
  const names: string[] = [];
  const read: ((row: Row) => number)[] = [];
  for (const column of Object.keys(rows[0]!)) {
    if (['y', 'fold', 'duration'].includes(column)) continue;
    const values = [...new Set(rows.map((row) => row[column]!))].toSorted();
    if (values.every((value) => value !== '' && Number.isFinite(Number(value)))) {
      names.push(column);
      read.push((row) => Number(row[column]));
      continue;
    }
    for (const value of values) {
      names.push(`${column}=${value}`);
      read.push((row) => (row[column] === value ? 1 : 0));
    }
  }
  const fold = (name: string) => {
    const taken = rows.filter((row) => row['fold'] === name);
    return {
      X: matrixOf(
        taken.map((row) => read.map((value) => value(row))),
        names,
      ),
      y: Float64Array.from(taken, (row) => (row['y'] === 'yes' ? 1 : 0)),
    };
  };
  return { train: fold('train'), test: fold('test') };
}

/** One order of one customer. */
export interface Order {
  readonly customer: string;
  readonly atMs: number;
  readonly id: string;
  readonly total: number;
}

export const ONLINE_RETAIL = 'online-retail/online-retail.csv.gz';
export const CDNOW = 'cdnow/cdnow.csv.gz';
export const COMPLETE_JOURNEY = 'complete-journey/transactions.parquet';

/** Lines with a customer, quantity and price above 0, not cancelled, by invoice. */
export function onlineRetail(): Order[] {
  const lines = csv(ONLINE_RETAIL).filter(
    (row) =>
      row['CustomerID'] !== '' &&
      !row['InvoiceNo']!.startsWith('C') &&
      Number(row['Quantity']) > 0 &&
      Number(row['UnitPrice']) > 0,
  );
  return byOrder(
    lines.map((row) => ({
      customer: row['CustomerID']!,
      atMs: Date.parse(`${row['InvoiceDate']}Z`),
      id: row['InvoiceNo']!,
      total: Number(row['Quantity']) * Number(row['UnitPrice']),
    })),
  );
}

export function cdnow(): Order[] {
  return byOrder(
    csv(CDNOW).map((row) => ({
      customer: row['customer']!,
      atMs: Date.parse(`${row['date']}T00:00:00Z`),
      id: `${row['customer']}/${row['date']}`,
      total: Number(row['value']),
    })),
  );
}

export async function completeJourney(): Promise<Order[]> {
  const lines = (await parquetReadObjects({
    file: await asyncBufferFromFile(new URL(COMPLETE_JOURNEY, FOLDER).pathname),
    compressors,
    columns: ['household_id', 'basket_id', 'sales_value', 'transaction_timestamp'],
  })) as Record<string, bigint | number | Date>[];
  return byOrder(
    lines.map((line) => ({
      customer: String(line['household_id']),
      atMs: Number(line['transaction_timestamp']),
      id: String(line['basket_id']),
      total: Number(line['sales_value']),
    })),
  );
}

function byOrder(lines: readonly Order[]): Order[] {
  const orders = new Map<string, { customer: string; atMs: number; id: string; total: number }>();
  for (const line of lines) {
    const order = orders.get(line.id);
    if (order) order.total += line.total;
    else orders.set(line.id, { ...line });
  }
  return [...orders.values()].toSorted((a, b) => a.atMs - b.atMs);
}

/** Columns recencyDays, orders, revenue of everyone who ordered before the moment; recency in whole days. */
export function rfmOf(orders: readonly Order[], asOfMs: number): Matrix {
  const rows = new Map<string, [number, number, number]>();
  for (const { customer, atMs, total } of orders) {
    if (atMs >= asOfMs) break;
    const row = rows.get(customer) ?? [0, 0, 0];
    rows.set(customer, [Math.floor((asOfMs - atMs) / MS_PER_DAY), row[1] + 1, row[2] + total]);
  }
  return matrixOf([...rows.values()], ['recencyDays', 'orders', 'revenue']);
}

const WINDOWS = [30, 90, 365, Infinity];

/** Those columns of ORDER_FEATURES that orders alone can give, as of each moment, and who ordered in 30 days after. */
export function orderDataset(orders: readonly Order[], momentsMs: readonly number[]): Dataset {
  const histories = Map.groupBy(orders, (order) => order.customer);
  const rows: number[][] = [];
  const y: number[] = [];
  for (const now of momentsMs) {
    for (const history of histories.values()) {
      const past = history.filter((order) => order.atMs < now);
      if (past.length === 0) continue;
      rows.push(featuresOf(past, now));
      const end = now + 30 * MS_PER_DAY;
      y.push(history.some((order) => order.atMs >= now && order.atMs < end) ? 1 : 0);
    }
  }
  const names = [
    'recencyDays',
    'tenureDays',
    'gapDays',
    ...['orders', 'revenue'].flatMap((name) =>
      ['30d', '90d', '365d', 'All'].map((window) => name + window),
    ),
    'basketAll',
  ];
  return {
    X: matrixOf(rows, names),
    y: Float64Array.from(y),
    window: { fromMs: Math.min(...momentsMs), toMs: Math.max(...momentsMs) },
  };
}

function featuresOf(past: readonly Order[], now: number): number[] {
  const days = (order: Order) => (now - order.atMs) / MS_PER_DAY;
  const first = days(past[0]!);
  const last = days(past.at(-1)!);
  const windows = WINDOWS.map((window) => past.filter((order) => days(order) <= window));
  const sums = windows.map((inside) => inside.reduce((sum, order) => sum + order.total, 0));
  return [
    last,
    first,
    past.length > 1 ? (first - last) / (past.length - 1) : Number.NaN,
    ...windows.map((inside) => inside.length),
    ...sums,
    sums[3]! / past.length,
  ];
}

export const HILLSTROM = 'hillstrom/hillstrom.csv.gz';

/** One half of the e-mail trial: features as given, three of them one-hot. */
export interface Trial {
  readonly X: Matrix;
  readonly treated: Uint8Array;
  readonly y: Uint8Array;
}

/** Visits after any mail, or after the women's mail only, against no mail. */
export function hillstrom(mail: 'any' | 'women'): Record<'train' | 'test', Trial> {
  const rows = csv(HILLSTROM);
  const numbers = ['recency', 'history', 'mens', 'womens', 'newbie'];
  const texts = ['history_segment', 'zip_code', 'channel'].flatMap((column) =>
    [...new Set(rows.map((row) => row[column]!))]
      .toSorted()
      .map((value) => [column, value] as const),
  );
  const names = [...numbers, ...texts.map(([column, value]) => `${column}=${value}`)];
  const fold = (name: string): Trial => {
    const taken = rows.filter(
      (row) => row['fold'] === name && (mail === 'any' || row['segment'] !== 'Mens E-Mail'),
    );
    return {
      X: matrixOf(
        taken.map((row) => [
          ...numbers.map((column) => Number(row[column])),
          ...texts.map(([column, value]) => (row[column] === value ? 1 : 0)),
        ]),
        names,
      ),
      treated: Uint8Array.from(taken, (row) => (row['segment'] === 'No E-Mail' ? 0 : 1)),
      y: Uint8Array.from(taken, (row) => Number(row['visit'])),
    };
  };
  return { train: fold('train'), test: fold('test') };
}
