import { WebhookSender } from '../delivery/webhooks/sender.ts';
import type { Log } from '../server/limited-log.ts';
import type { Db } from '../store/postgres.ts';
import { runProjector } from '../store/projector.ts';
import type { Vault } from '../store/sealed.ts';
import type { Warehouse } from '../store/warehouse/client.ts';
import { projectInto } from './projection.ts';

/** Copies the log into the warehouse, and tells webhook endpoints of it, until it is stopped. */
export function readLogFor(
  parts: {
    db: Db;
    warehouse: Warehouse;
    vault: Vault;
    readonly log: Log;
  },
  options: { webhooksAllowPrivate: boolean },
): { stop(): Promise<void> } {
  const { db, warehouse, vault, log } = parts;
  const webhooks = new WebhookSender(
    { db, vault, log },
    { allowPrivate: options.webhooksAllowPrivate },
  ).start();
  const project = projectInto(warehouse);
  const projector = runProjector(
    db,
    (events, token) => {
      // What is projected is committed: endpoints hear of it now, also while the warehouse is away.
      webhooks.wake();
      return project(events, token);
    },
    log,
  );
  return {
    async stop() {
      await Promise.all([projector.stop(), webhooks.stop()]);
    },
  };
}
