import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { launch, propose } from '../../bin/launch.ts';
import { openDemo, type Demo } from '../../bin/demo/context.ts';
import { startStack, type Stack } from '../../bin/supervisor/stack.ts';
import { migrate } from '../../store/migrate.ts';
import { ledgerCounts } from '../../store/ledger.ts';
import { loadPeople } from '../../store/people.ts';
import { connectPostgres } from '../../store/postgres.ts';
import { awaitProjected } from '../../store/projector.ts';
import { type ProcessUsage, processUsage } from '../support/process.ts';
import type { BenchCampaigns } from './message.ts';

/** One run of the whole path: plan, ledger, queue, render, SMTP. */
export interface PathRun {
  messages: number;
  /** From the launch to the last settled row, planning included. */
  seconds: number;
  /** Worker and sender together. */
  cpuMicrosPerMessage: number;
  senderCpuMicrosPerMessage: number;
  /** The larger of the two peaks. */
  rssMiB: number;
  ledgerBytesPerMessage: number;
}

function usage(pid: number): ProcessUsage {
  const found = processUsage(pid);
  if (!found) throw new Error('the kernel tells nothing of that process: this bench needs /proc');
  return found;
}

/** A stack of its own, with durable PostgreSQL, that sends to the sink. */
export class KairosPath {
  readonly #dataDir = mkdtempSync(join(tmpdir(), 'kairos-bench-'));
  readonly #people: number;
  #stack: Stack | undefined;
  #demo: Demo | undefined;
  #runs = 0;

  constructor(people: number) {
    this.#people = people;
  }

  async start(sinkPort: number, sessions: number): Promise<void> {
    process.env['SMTP_URL'] = `smtp://127.0.0.1:${sinkPort}?sessions=${sessions}`;
    this.#stack = await startStack({
      shop: 'none',
      dataDir: this.#dataDir,
      ports: 'random',
      only: ['temporal', 'postgres', 'warehouse', 'worker', 'sender', 'server'],
      migrate: async (config) => {
        const db = connectPostgres(config.database.url.reveal(), 'bench', 1);
        await migrate(db);
        await db.end();
        return 'done';
      },
    });
    this.#demo = await openDemo(this.#stack.config, () => {});
    const people = this.#people;
    await loadPeople(
      this.#demo.db,
      (function* () {
        for (let i = 0; i < people; i += 1) {
          yield {
            externalId: `p${i}`,
            email: `person.${i}@bench.test`,
            name: `Maria${i} Example`,
            country: 'DE',
            timeZone: 'Europe/Berlin',
            locale: 'de',
            consent: { granted: true, atMs: 0, source: 'bench' },
            traits: { city: 'Berlin', tier: 'gold', points: i },
            createdAtMs: 0,
          };
        }
      })(),
    );
    await awaitProjected(this.#demo.db);
  }

  /** Sends to everyone once, under a campaign of its own. */
  async run(campaigns: BenchCampaigns): Promise<PathRun> {
    const demo = this.#demo!;
    const id = `bench-${(this.#runs += 1)}`;
    const proposal = await propose(demo, campaigns.file(id), 0, campaigns.templatesFolder);
    const pids = ['worker', 'sender'].map((name) => this.#stack!.pid(name as 'worker')!);
    const before = pids.map(usage);
    const beganMs = Date.now();
    const { row } = await launch(demo, proposal, { by: 'bench', mode: 'test' });
    for (let isOpen = true; isOpen;) {
      await sleep(50);
      const { rows } = await demo.db.query<{ open: boolean }>(
        'select closed_at is null as open from campaign where id = $1',
        [row.id],
      );
      isOpen = rows[0]!.open;
    }
    const after = pids.map(usage);
    const { no } = row;
    // The shop's clock runs with the real one here; closing the ledger and the report come after the last row.
    const last = await demo.db.query<{ ms: number }>(
      'select (extract(epoch from max(settled_at)) * 1000)::double precision as ms from message where campaign_no = $1',
      [no],
    );
    const seconds = (last.rows[0]!.ms - beganMs) / 1_000;
    const counts = await ledgerCounts(demo.db, no);
    const cpu = after.map((each, i) => each.cpuMicros - before[i]!.cpuMicros);
    const { rows } = await demo.db.query<{ bytes: number }>(
      `select pg_total_relation_size('message') / greatest(1, (select count(*) from message)) as bytes`,
    );
    if (counts.sent !== this.#people)
      throw new Error(`sent ${JSON.stringify(counts)} of ${this.#people}`);
    return {
      messages: counts.sent,
      seconds,
      cpuMicrosPerMessage: (cpu[0]! + cpu[1]!) / counts.sent,
      senderCpuMicrosPerMessage: cpu[1]! / counts.sent,
      rssMiB: Math.max(...after.map((each) => each.peakMiB)),
      ledgerBytesPerMessage: rows[0]!.bytes,
    };
  }

  async stop(): Promise<void> {
    await this.#demo?.close();
    await this.#stack?.stop();
    rmSync(this.#dataDir, { recursive: true, force: true });
  }
}
