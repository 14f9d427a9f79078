import { closeSync, mkdtempSync, openSync, readSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { StringDecoder } from 'node:string_decoder';
import type { Scalar } from './mapping.ts';
import { hash } from './seen.ts';

/** One line of an order, small enough to be written down and read again a million times. */
export interface Line {
  readonly order: string;
  readonly atMs: number;
  readonly customer: string | null;
  readonly currency: string;
  readonly sku: string | null;
  readonly category: string | null;
  readonly quantity: number;
  /** Of one piece. */
  readonly price: number;
  /** Of the line; negative where it was taken back. */
  readonly amount: number;
  readonly takenBack: boolean;
  readonly lineProperties: Readonly<Record<string, Scalar>> | null;
  readonly properties: Readonly<Record<string, Scalar>> | null;
  readonly sums: readonly number[] | null;
  /** Of the whole order, as its export says it. */
  readonly total: number | null;
}

const PARTS = 64;
const DEPTH_MAX = 3;
const FLUSH_CHARS = 32 * 1024;
const READ_BYTES = 256 * 1024;

/**
 * Gathers the lines of each order, wherever in the files they stand, in bounded memory: above `linesMax` lines they are
 * spread by their order over 64 files, and each of those is gathered on its own.
 */
export class Baskets {
  readonly #folder: string;
  readonly #linesMax: number;
  readonly #depth: number;
  #orders = new Map<string, Line[]>();
  #count = 0;
  #parts: SpillFile[] | null = null;

  /** @param folder where the files are made; they have no name there, so that nothing is left of a killed import */
  constructor(folder: string, linesMax = 100_000, depth = 0) {
    this.#folder = folder;
    this.#linesMax = linesMax;
    this.#depth = depth;
  }

  /** Whether it had to use the disk. */
  get isSpilled(): boolean {
    return this.#parts !== null;
  }

  add(line: Line): void {
    if (this.#parts) {
      this.#spill(line);
      return;
    }
    const lines = this.#orders.get(line.order);
    if (lines) lines.push(line);
    else this.#orders.set(line.order, [line]);
    this.#count += 1;
    // Below some depth only one order of very many lines can be the reason, and that cannot be parted.
    if (this.#count > this.#linesMax && this.#depth < DEPTH_MAX) this.#beginToSpill();
  }

  /** The lines of an order so far, where they are in memory. */
  linesOf(order: string): readonly Line[] {
    return this.#orders.get(order) ?? [];
  }

  /** An order that is whole, and will have no more lines; null where it lies on the disk and comes at the end. */
  take(order: string): readonly Line[] | null {
    const lines = this.#orders.get(order);
    if (this.#parts || !lines) return null;
    this.#orders.delete(order);
    this.#count -= lines.length;
    return lines;
  }

  /** All orders, each with all its lines in the order in which they were added; once only. */
  *drain(): Generator<readonly Line[]> {
    if (!this.#parts) {
      yield* this.#orders.values();
      this.#orders.clear();
      return;
    }
    for (const part of this.#parts) {
      const baskets = new Baskets(this.#folder, this.#linesMax, this.#depth + 1);
      try {
        for (const line of part.read()) baskets.add(line);
        part.close();
        yield* baskets.drain();
      } finally {
        baskets.close();
      }
    }
  }

  close(): void {
    for (const part of this.#parts ?? []) part.close();
    this.#orders.clear();
  }

  #beginToSpill(): void {
    this.#parts = openParts(this.#folder);
    for (const lines of this.#orders.values()) for (const line of lines) this.#spill(line);
    this.#orders = new Map();
  }

  #spill(line: Line): void {
    // Another seed at each depth, else a part would not be parted again.
    this.#parts![hash(line.order, 0x51ed270b + this.#depth) % PARTS]!.add(line);
  }
}

function openParts(folder: string): SpillFile[] {
  const place = mkdtempSync(join(folder, 'kairos-import-'));
  const parts = Array.from(
    { length: PARTS },
    (_, index) => new SpillFile(openSync(join(place, String(index)), 'wx+', 0o600)),
  );
  rmSync(place, { recursive: true });
  return parts;
}

class SpillFile {
  readonly #file: number;
  #buffer = '';
  #isOpen = true;

  constructor(file: number) {
    this.#file = file;
  }

  add(line: Line): void {
    this.#buffer += `${JSON.stringify(pack(line))}\n`;
    if (this.#buffer.length < FLUSH_CHARS) return;
    writeSync(this.#file, this.#buffer);
    this.#buffer = '';
  }

  *read(): Generator<Line> {
    writeSync(this.#file, this.#buffer);
    this.#buffer = '';
    const bytes = Buffer.alloc(READ_BYTES);
    const decoder = new StringDecoder('utf8');
    let rest = '';
    for (let at = 0; ;) {
      const read = readSync(this.#file, bytes, 0, READ_BYTES, at);
      if (read === 0) return;
      at += read;
      const lines = (rest + decoder.write(bytes.subarray(0, read))).split('\n');
      rest = lines.pop()!;
      for (const line of lines) yield unpack(JSON.parse(line) as Packed);
    }
  }

  close(): void {
    if (this.#isOpen) closeSync(this.#file);
    this.#isOpen = false;
  }
}

/** Without names: they would be half of what is written. */
type Packed = [
  string,
  number,
  string | null,
  string,
  string | null,
  string | null,
  number,
  number,
  number,
  0 | 1,
  Line['sums'],
  Line['properties'],
  Line['lineProperties'],
  number | null,
];

function pack(line: Line): Packed {
  return [
    line.order,
    line.atMs,
    line.customer,
    line.currency,
    line.sku,
    line.category,
    line.quantity,
    line.price,
    line.amount,
    line.takenBack ? 1 : 0,
    line.sums,
    line.properties,
    line.lineProperties,
    line.total,
  ];
}

function unpack(packed: Packed): Line {
  return {
    order: packed[0],
    atMs: packed[1],
    customer: packed[2],
    currency: packed[3],
    sku: packed[4],
    category: packed[5],
    quantity: packed[6],
    price: packed[7],
    amount: packed[8],
    takenBack: packed[9] === 1,
    sums: packed[10],
    properties: packed[11],
    lineProperties: packed[12],
    total: packed[13],
  };
}
