import { setTimeout as sleep } from 'node:timers/promises';
import { logBacklog } from '../../store/events.ts';
import type { Db } from '../../store/postgres.ts';
import { projectStep, projectorPosition } from '../../store/projector.ts';
import type { Warehouse } from '../../store/warehouse/client.ts';
import { projectEvents } from '../../store/warehouse/project.ts';

/**
 * Copies the whole log into the warehouse. Rows are visible to the projector once every transaction of the cluster that
 * began before them has ended, and other suites use the same cluster: so no step that finds nothing ends this, but an
 * empty backlog.
 */
export async function projectAll(db: Db, warehouse: Warehouse, step?: number): Promise<void> {
  for (;;) {
    const copied = await projectStep(
      db,
      (events, token) => projectEvents(warehouse, events, token),
      step,
    );
    if (copied > 0) continue;
    if ((await logBacklog(db, await projectorPosition(db), 1)) === 0) return;
    await sleep(10);
  }
}
