import { timingSafeEqual } from 'node:crypto';
import type { Db } from '../../store/postgres.ts';
import { type WriteKeyKind, hashWriteKey, writeKeys } from '../../store/write-keys.ts';

/** A key that was presented and is valid. */
export interface KnownKey {
  id: string;
  kind: WriteKeyKind;
  /** Takes `events` from the key's rate; false where it has no more for now. */
  take(events: number): boolean;
}

const REFRESH_MS = 5_000;
/** A key may send this many seconds' worth at once. */
const BURST_SECONDS = 5;

/**
 * The keys in force: those of the configuration, and those of the database, read again every five seconds while requests
 * come. While the database is away the last known ones count.
 */
export class WriteKeys {
  readonly #db: Db;
  readonly #fixed: { hash: Buffer; key: KnownKey }[];
  #listed: { hash: Buffer; key: KnownKey }[] = [];
  readonly #buckets = new Map<string, Bucket>();
  #readAt = -Infinity;
  #reading: Promise<void> | undefined;

  constructor(db: Db, fixed: readonly string[]) {
    this.#db = db;
    this.#fixed = fixed
      .filter((key) => key !== '')
      .map((key) => ({
        hash: hashWriteKey(key),
        key: { id: 'configuration', kind: 'server', take: () => true },
      }));
  }

  /** The key that was given, or null. The comparison takes the same time however much of it is right. */
  async find(given: string | null): Promise<KnownKey | null> {
    if (given === null || given === '') return null;
    const hash = hashWriteKey(given);
    const fixed = match(this.#fixed, hash);
    if (fixed) return fixed;
    if (performance.now() - this.#readAt > REFRESH_MS) await this.#read();
    return match(this.#listed, hash);
  }

  #read(): Promise<void> {
    this.#reading ??= writeKeys(this.#db)
      .then(
        (rows) => {
          this.#listed = rows
            .filter((row) => row.revokedAtMs === null)
            .map(({ id, hash, kind, ratePerSecond }) => {
              const take = (events: number): boolean =>
                ratePerSecond === null || this.#bucket(id, ratePerSecond).take(events);
              return { hash, key: { id, kind, take } };
            });
        },
        () => {},
      )
      .finally(() => {
        this.#readAt = performance.now();
        this.#reading = undefined;
      });
    return this.#reading;
  }

  #bucket(id: string, rate: number): Bucket {
    let bucket = this.#buckets.get(id);
    if (bucket?.rate !== rate) this.#buckets.set(id, (bucket = new Bucket(rate)));
    return bucket;
  }
}

function match(known: readonly { hash: Buffer; key: KnownKey }[], hash: Buffer): KnownKey | null {
  let found: KnownKey | null = null;
  for (const candidate of known) if (timingSafeEqual(candidate.hash, hash)) found = candidate.key;
  return found;
}

/** Of this process alone; a batch larger than what is left is let through once the bucket is full. */
class Bucket {
  readonly rate: number;
  #tokens: number;
  #at = performance.now();

  constructor(rate: number) {
    this.rate = rate;
    this.#tokens = rate * BURST_SECONDS;
  }

  take(events: number): boolean {
    const now = performance.now();
    const full = this.rate * BURST_SECONDS;
    this.#tokens = Math.min(full, this.#tokens + ((now - this.#at) / 1_000) * this.rate);
    this.#at = now;
    if (this.#tokens < Math.min(events, full)) return false;
    this.#tokens -= events;
    return true;
  }
}
