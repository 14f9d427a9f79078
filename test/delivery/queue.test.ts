import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import {
  type Ticket,
  type TicketQueue,
  type TicketWorkers,
  openTicketQueue,
} from '../../delivery/queue.ts';
import { createDatabase } from '../support/stack.ts';
import { startValkey } from '../support/valkey.ts';

const ticket = (campaignNo: number, lane: Ticket['lane'] = 'other'): Ticket => ({
  campaignNo,
  campaignId: `c${campaignNo}`,
  step: 0,
  lane,
  dueMs: 0,
});
const issue = (no: number, id: string, delayMs = 0, lane: Ticket['lane'] = 'other') => ({
  ticket: ticket(no, lane),
  options: { id, delayMs },
});

/** What both backings must do; the sender relies on no more than this. */
function conformance(
  name: string,
  start: () => Promise<{ url: string; stop(): Promise<void> }>,
): void {
  describe(`the ticket queue on ${name}`, () => {
    let backing: { url: string; stop(): Promise<void> };
    let queue: TicketQueue;
    let workers: TicketWorkers | undefined;

    beforeAll(async () => {
      backing = await start();
      queue = openTicketQueue(backing.url);
    });
    afterEach(async () => {
      await workers?.close();
      workers = undefined;
    });
    afterAll(async () => {
      await queue.close();
      await backing.stop();
    });

    it('hands each ticket to a worker of its lane', async () => {
      const seen: string[] = [];
      workers = await queue.work(async ({ campaignNo, lane }) => {
        seen.push(`${campaignNo}:${lane}`);
      }, 2);
      await queue.issue([issue(1, 'a'), issue(2, 'b', 0, 'gmail'), issue(3, 'c', 0, 'gmail')]);
      await vi.waitFor(
        () => expect(seen.sort()).toEqual(['1:other', '2:gmail', '3:gmail']),
        10_000,
      );
    });

    it('does not double a ticket that waits', async () => {
      await queue.issue([issue(1, 'same')]);
      await queue.issue([issue(1, 'same'), issue(1, 'same')]);
      expect((await queue.depth()).other).toBe(1);
      let seen = 0;
      workers = await queue.work(async () => void (seen += 1), 1);
      await vi.waitFor(async () => expect((await queue.depth()).other).toBe(0), 10_000);
      expect(seen).toBe(1);
    });

    it('takes the same id again once the ticket is done', async () => {
      let seen = 0;
      workers = await queue.work(async () => void (seen += 1), 1);
      await queue.issue([issue(1, 'again')]);
      await vi.waitFor(async () => expect((await queue.depth()).other).toBe(0), 10_000);
      await queue.issue([issue(1, 'again')]);
      await vi.waitFor(() => expect(seen).toBe(2), 10_000);
    });

    it('keeps a delayed ticket until its time', async () => {
      const startedAt = Date.now();
      let at = 0;
      workers = await queue.work(async () => void (at = Date.now()), 1);
      await queue.issue([issue(1, 'later', 400)]);
      await vi.waitFor(() => expect(at).toBeGreaterThan(0), 10_000);
      expect(at - startedAt).toBeGreaterThanOrEqual(390);
    });

    it('forgets a ticket whose handler failed: the reconciler issues another', async () => {
      const errors: string[] = [];
      workers = await queue.work(async () => {
        throw new Error('no luck');
      }, 1);
      workers.onError((error) => errors.push(error.message));
      await queue.issue([issue(1, 'fails')]);
      await vi.waitFor(() => expect(errors).toEqual(['no luck']), 10_000);
      await vi.waitFor(async () => expect((await queue.depth()).other).toBe(0), 10_000);
    });

    it('works on as many tickets of a lane at once as it was told', async () => {
      let running = 0;
      let most = 0;
      workers = await queue.work(async () => {
        running += 1;
        most = Math.max(most, running);
        await new Promise((resolve) => setTimeout(resolve, 100));
        running -= 1;
      }, 2);
      await queue.issue([1, 2, 3, 4].map((no) => issue(no, `n${no}`)));
      await vi.waitFor(async () => expect((await queue.depth()).other).toBe(0), 10_000);
      expect(most).toBe(2);
    });

    it('waits for the tickets under way when it closes', async () => {
      let done = false;
      const busy = await queue.work(async () => {
        await new Promise((resolve) => setTimeout(resolve, 300));
        done = true;
      }, 1);
      await queue.issue([issue(1, 'slow')]);
      await vi.waitFor(async () => expect((await queue.depth()).other).toBe(1), 10_000);
      await new Promise((resolve) => setTimeout(resolve, 150));
      await busy.close();
      expect(done).toBe(true);
    });
  });
}

conformance('PostgreSQL', async () => {
  const database = await createDatabase({ migrated: false });
  return { url: database.url, stop: () => database.drop() };
});
conformance('Valkey', startValkey);
