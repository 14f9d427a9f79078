import type { ProductRecord } from '../../domain/records.ts';
import { Baskets, type Line } from './baskets.ts';
import type { FieldCompiler } from './fields.ts';
import { lineMaker } from './lines.ts';
import { addUnknownProducts, catalogue } from './load.ts';
import { reject } from './makers.ts';
import type { Mapping } from './mapping.ts';
import { likenessOf, orderEvents, type OrderOptions } from './orders.ts';
import type { LoadEvent } from './put-events.ts';
import { Rejection } from './rejection.ts';
import { count } from './report.ts';
import { rulesOf } from './rules.ts';
import {
  LOADS,
  loadPart,
  noteOf,
  Pump,
  type Sink,
  type SinkContext,
  strangerCheck,
  type Take,
} from './sink.ts';

/** Lines of orders in one load; an order of a grocer has ten. */
const LINES = 40_000;

/**
 * Lines are gathered by their order. An order is loaded behind its last line, which was looked up before; what has no
 * known last line comes at the end.
 */
export class OrderSink implements Sink {
  readonly #context: SinkContext;
  readonly #baskets: Baskets;
  readonly #pump = new Pump(LOADS);
  #options: OrderOptions | null = null;
  #ready: LoadEvent[] = [];
  /** Lines of the orders in `ready`, lines that wait, and lines that are loaded or on their way. */
  #readyLines = 0;
  #waiting = 0;
  #strangeProducts = new Map<string, ProductRecord>();

  constructor(context: SinkContext) {
    this.#context = context;
    this.#baskets = new Baskets(context.spillFolder);
  }

  async open(compiler: FieldCompiler, mapping: Mapping): Promise<Take> {
    const { db, report, lastLines } = this.#context;
    const note = noteOf(report);
    const rules = rulesOf(mapping.rules);
    const make = lineMaker(compiler, mapping, note);
    const strangers = await strangerCheck(db, mapping);
    const { categories, skus } = await catalogue(db);
    this.#options ??= {
      sumNames: Object.keys(mapping.sums ?? {}),
      repeatedLine: rules.repeatedLine,
      nearDuplicate: rules.nearDuplicate,
      categories,
      note,
      onDropped: () => {
        report.duplicates += 1;
        report.accepted -= 1;
      },
    };
    const asksProducts = skus !== null && (skus.size > 0 || rules.unknownProduct !== 'keep');
    const rejectsRepeats = rules.repeatedLine === 'reject' || rules.nearDuplicate === 'reject';
    return (row, _place, place) => {
      const line = make(row);
      if (line instanceof Rejection) return line;
      if (line === null) {
        note('cancelled line, left out');
        return 'duplicate';
      }
      const flaw = compiler.takeFlaw() ?? strangers(line.customer);
      if (flaw !== null) return flaw;
      if (asksProducts && line.sku !== null && !skus.has(line.sku)) {
        if (rules.unknownProduct === 'reject') return reject('sku', 'product not known');
        if (rules.unknownProduct === 'mend') this.#addProduct(line.sku, line);
        else note('product not known, kept');
      }
      if (rejectsRepeats) {
        const likeness = likenessOf(line, this.#baskets.linesOf(line.order));
        if (likeness === 'same' && rules.repeatedLine === 'reject') return reject('', 'repeated');
        if (likeness === 'near' && rules.nearDuplicate === 'reject') {
          return reject('sku', 'nearly repeated');
        }
      }
      this.#baskets.add(line);
      this.#waiting += 1;
      if (lastLines?.get(line.order) === place) this.#complete(line.order);
      return 'accepted';
    };
  }

  #addProduct(sku: string, line: Line): void {
    if (this.#strangeProducts.has(sku)) return;
    const name = line.lineProperties?.['name'] ?? line.lineProperties?.['title'];
    this.#strangeProducts.set(sku, {
      sku,
      title: typeof name === 'string' ? name : sku,
      category: line.category ?? '',
      price: Math.round(Math.abs(line.price) * 100) / 100,
      currency: line.currency,
      stock: null,
      description: '',
      url: null,
    });
  }

  #complete(order: string): void {
    const lines = this.#baskets.take(order);
    if (lines === null) return;
    this.#ready.push(...orderEvents(lines, this.#options!));
    this.#readyLines += lines.length;
    this.#waiting -= lines.length;
  }

  isFull(): boolean {
    return this.#readyLines >= LINES;
  }

  async flush(): Promise<void> {
    const events = this.#ready;
    this.#ready = [];
    this.#readyLines = 0;
    await this.#pump.submit(() => loadPart(this.#context, events));
  }

  async finish(onLoad: (done: number) => void, signal: AbortSignal | undefined): Promise<void> {
    await this.flush();
    const all = Math.max(1, this.#waiting);
    let drained = 0;
    for (const lines of this.#baskets.drain()) {
      this.#ready.push(...orderEvents(lines, this.#options!));
      this.#readyLines += lines.length;
      drained += lines.length;
      if (!this.isFull()) continue;
      await this.flush();
      onLoad(drained / all);
      if (signal?.aborted) break;
    }
    if (!signal?.aborted) await this.flush();
    await this.#pump.end();
    const { db, report } = this.#context;
    if (this.#strangeProducts.size > 0) {
      const added = await addUnknownProducts(db, [...this.#strangeProducts.values()]);
      count(report.notes, 'product not known, added to the catalogue', added);
    }
  }

  async close(): Promise<void> {
    await this.#pump.close();
    this.#baskets.close();
  }
}
