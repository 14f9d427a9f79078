import type { ProjectionSink } from '../store/projector.ts';
import type { Warehouse } from '../store/warehouse/client.ts';
import { projectEvents } from '../store/warehouse/project.ts';

/** Writes the log into the warehouse; its tables are made at the first call. */
export function projectInto(warehouse: Warehouse): ProjectionSink {
  let ready = false;
  return async (events, token) => {
    if (!ready) await warehouse.setUp();
    ready = true;
    try {
      await projectEvents(warehouse, events, token);
    } catch (error) {
      // Its folder may have been deleted: the tables are made again at the next try.
      ready = false;
      throw error;
    }
  };
}
