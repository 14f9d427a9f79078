import { LOCKS } from './locks.ts';
import type { AliasCall, IdentifyCall, IntakeCall } from '../domain/intake.ts';
import { copyLine } from './copy.ts';
import { isoOf, messageKey, writeLog } from './events.ts';
import { type IdentityClaim, claimIdentities, settleIdentities } from './identity.ts';
import { type PersonChange, changePeople } from './person-change.ts';
import { tellPeople } from './people.ts';
import { type Db, type Tx, isTransient, transaction } from './postgres.ts';

export interface IntakeReceipt {
  accepted: number;
  /** Known by their message id already, so not written again. */
  duplicates: number;
}

export interface IntakeWriterOptions {
  /** How long a repeated message id is known. Clients give up repeating after days. */
  windowDays?: number;
  /** Transactions at a time: while one waits for the disk, the next is filled. */
  writers?: number;
  /** Calls of one transaction. */
  groupMax?: number;
}

/** One request's calls on their way, as lines of COPY without the person. */
interface Waiting {
  entries: Entry[];
  done(receipt: IntakeReceipt): void;
  fail(error: unknown): void;
}

interface Entry {
  key: string;
  head: string;
  userId: string | null;
  anonymousId: string | null;
  tail: string;
  /** What there is to do beside the line of the log; events have nothing, so that their objects go at once. */
  call: IdentifyCall | AliasCall | null;
}

/** Our ids of shop ids and of anonymous ids. */
class Known {
  readonly people = new Map<string, number>();
  readonly visitors = new Map<string, number>();
}

/** Shop ids and anonymous ids that are remembered; some 20 MB. */
const REMEMBERED = 200_000;
const ATTEMPTS = 3;

/**
 * Writes calls of many requests in common transactions: whoever waits when a transaction ends goes into the next one.
 * When {@link IntakeWriter.write} resolves, all of its calls are committed.
 */
export class IntakeWriter {
  readonly #db: Db;
  readonly #options: Required<IntakeWriterOptions>;
  #waiting: Waiting[] = [];
  #running = 0;
  /** Of committed rows only, and of one generation of identities. */
  #known = new Known();
  #generation = -1;
  #settling: Promise<unknown> | undefined;

  constructor(db: Db, options: IntakeWriterOptions = {}) {
    this.#db = db;
    this.#options = { windowDays: 35, writers: 2, groupMax: 10_000, ...options };
  }

  write(calls: readonly IntakeCall[]): Promise<IntakeReceipt> {
    if (calls.length === 0) return Promise.resolve({ accepted: 0, duplicates: 0 });
    return new Promise((done, fail) => {
      this.#waiting.push({ entries: calls.map(entryOf), done, fail });
      this.#pump();
    });
  }

  /** Resolves when nothing waits and nothing runs. */
  async idle(): Promise<void> {
    while (this.#running > 0 || this.#waiting.length > 0 || this.#settling) {
      await (this.#settling ?? new Promise((resolve) => setTimeout(resolve, 5)));
    }
  }

  #pump(): void {
    while (this.#running < this.#options.writers && this.#waiting.length > 0) {
      let size = 0;
      let count = 0;
      while (count < this.#waiting.length && (count === 0 || size < this.#options.groupMax)) {
        size += this.#waiting[count]!.entries.length;
        count += 1;
      }
      const group = this.#waiting.splice(0, count);
      this.#running += 1;
      void this.#writeGroup(group).finally(() => {
        this.#running -= 1;
        this.#pump();
      });
    }
  }

  /** A group that fails for what is in it is written request by request, so that one cannot spoil the others. */
  async #writeGroup(group: readonly Waiting[]): Promise<void> {
    try {
      const receipts = await this.#writePatiently(group);
      group.forEach((waiting, index) => waiting.done(receipts[index]!));
    } catch (error) {
      if (group.length === 1 || isTransient(error)) {
        for (const waiting of group) waiting.fail(error);
        return;
      }
      for (const waiting of group) await this.#writeGroup([waiting]);
    }
  }

  async #writePatiently(group: readonly Waiting[]): Promise<IntakeReceipt[]> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        const work = await transaction(this.#db, (tx) =>
          this.#begin(tx).then((ids) => ids.write(tx, group, this.#options.windowDays)),
        );
        if (work.known === this.#known) work.remember();
        if (work.claimed) this.#settle();
        return work.receipts;
      } catch (error) {
        const code = (error as { code?: string }).code ?? '';
        // Another transaction was in the way; what it wrote is seen the next time.
        if (!/^(40|23505)/.test(code) || attempt === ATTEMPTS) throw error;
      }
    }
  }

  /** Merges wait until we are through, and we see every merge that was before. */
  async #begin(tx: Tx): Promise<Group> {
    await tx.query(`select pg_advisory_xact_lock_shared(${LOCKS.identity})`);
    const { rows } = await tx.query<{ generation: number }>(
      'select generation from identity_state',
    );
    const { people, visitors } = this.#known;
    const isFull = Math.max(people.size, visitors.size) > REMEMBERED;
    if (rows[0]!.generation !== this.#generation || isFull) {
      this.#known = new Known();
      this.#generation = rows[0]!.generation;
    }
    return new Group(this.#known);
  }

  #settle(): void {
    this.#settling ??= settleIdentities(this.#db)
      .catch(() => {})
      .finally(() => {
        this.#settling = undefined;
      });
  }
}

/** One transaction: what it finds out of ids stays its own until it is committed. */
class Group {
  readonly known: Known;
  readonly #found = new Known();
  receipts: IntakeReceipt[] = [];
  claimed = false;

  constructor(known: Known) {
    this.known = known;
  }

  async write(tx: Tx, group: readonly Waiting[], windowDays: number): Promise<this> {
    const entries = group.length === 1 ? group[0]!.entries : group.flatMap((one) => one.entries);
    const added = await this.#findPeople(tx, entries);
    await this.#findVisitors(tx, entries);
    const fresh = await writeLog(
      tx,
      entries.map((entry) => ({
        key: entry.key,
        line: `${entry.head}${this.#personOf(entry) ?? '\\N'}${entry.tail}`,
      })),
      windowDays,
    );
    // Deleting as we go: of two calls with one id in the same group only the first counts.
    const news: Entry[] = [];
    this.receipts = group.map((one) => {
      const accepted = one.entries.filter((entry) => fresh.delete(entry.key));
      for (const entry of accepted) if (isMoreThanLogged(entry)) news.push(entry);
      return { accepted: accepted.length, duplicates: one.entries.length - accepted.length };
    });
    const changed = await changePeople(tx, this.#changes(news));
    await tellPeople(tx, [...added, ...changed]);
    await this.#claim(tx, news);
    return this;
  }

  remember(): void {
    for (const [id, personId] of this.#found.people) this.known.people.set(id, personId);
    for (const [id, personId] of this.#found.visitors) this.known.visitors.set(id, personId);
  }

  #person(userId: string): number | undefined {
    return this.known.people.get(userId) ?? this.#found.people.get(userId);
  }

  #visitor(anonymousId: string): number | undefined {
    return this.known.visitors.get(anonymousId) ?? this.#found.visitors.get(anonymousId);
  }

  /** Makes rows for people not seen before; in the order of the shop's ids, so that transactions never deadlock. */
  async #findPeople(tx: Tx, entries: readonly Entry[]): Promise<number[]> {
    const unknown = new Set<string>();
    for (const { userId } of entries) {
      if (userId !== null && !this.known.people.has(userId)) unknown.add(userId);
    }
    if (unknown.size === 0) return [];
    const wanted = [...unknown];
    const added = await tx.query<{ id: number }>(
      `insert into person (external_id, created_at)
       select x, shop_now() from unnest($1::text[]) as t (x)
       where not exists (select from person p where p.external_id = x) order by x collate "C"
       on conflict (external_id) do nothing returning id`,
      [wanted],
    );
    const { rows } = await tx.query<{ id: number; external_id: string }>(
      `select coalesce(merged_into, id) as id, external_id from person where external_id = any ($1)`,
      [wanted],
    );
    for (const { id, external_id } of rows) this.#found.people.set(external_id, id);
    return added.rows.map((row) => row.id);
  }

  async #findVisitors(tx: Tx, entries: readonly Entry[]): Promise<void> {
    const unknown = new Set<string>();
    for (const { anonymousId } of entries) {
      if (anonymousId !== null && !this.known.visitors.has(anonymousId)) unknown.add(anonymousId);
    }
    if (unknown.size === 0) return;
    const { rows } = await tx.query<{ anonymous_id: string; person_id: number }>(
      'select anonymous_id, person_id from visitor where anonymous_id = any ($1)',
      [[...unknown]],
    );
    for (const row of rows) this.#found.visitors.set(row.anonymous_id, row.person_id);
  }

  #personOf(entry: Entry): number | null {
    if (entry.userId !== null) return this.#person(entry.userId)!;
    return entry.anonymousId === null ? null : (this.#visitor(entry.anonymousId) ?? null);
  }

  #changes(entries: readonly Entry[]): PersonChange[] {
    return entries.flatMap(({ call }) =>
      call?.kind === 'identify'
        ? [{ personId: this.#person(call.userId)!, atMs: call.atMs, patch: call.person }]
        : [],
    );
  }

  /** Visitors whom a call names together with a customer, and customers that are one by an alias. */
  async #claim(tx: Tx, entries: readonly Entry[]): Promise<void> {
    const claims = entries.flatMap(({ call, userId, anonymousId }): IdentityClaim[] => {
      if (userId === null) return [];
      const intoId = this.#person(userId)!;
      if (call?.kind === 'alias') return [{ kind: 'alias', from: call.previousId, intoId }];
      if (anonymousId === null) return [];
      const known = this.#visitor(anonymousId);
      // An identify says who is at the device now; any other call only who was the first.
      if (known === intoId || (known !== undefined && call?.kind !== 'identify')) return [];
      return [{ kind: 'visitor', from: anonymousId, intoId }];
    });
    if (claims.length === 0) return;
    await claimIdentities(tx, claims, 'intake');
    this.claimed = true;
  }
}

/** Most calls are a line of the log and nothing else. */
function isMoreThanLogged({ call, userId, anonymousId }: Entry): boolean {
  return call !== null || (userId !== null && anonymousId !== null);
}

/** Intake ids have a room of their own: no outsider's id can stand in the way of one of ours. */
function entryOf(call: IntakeCall): Entry {
  const messageId = `intake:${call.messageId}`;
  const type = call.kind === 'track' ? call.type : TRACES[call.kind];
  const properties = call.kind === 'track' ? (call.json ?? JSON.stringify(call.properties)) : '{}';
  return {
    key: messageKey(messageId),
    head: copyLine([messageId, type]).slice(0, -1) + '\t',
    userId: call.userId,
    anonymousId: call.anonymousId,
    tail: `\t${copyLine([isoOf(call.atMs), properties])}`,
    call: call.kind === 'track' ? null : call,
  };
}

/** What the log keeps of calls whose content goes to the person. */
const TRACES = { identify: 'Person Identified', alias: 'Person Aliased' } as const;
