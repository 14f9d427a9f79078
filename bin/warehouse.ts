import { once } from 'node:events';
import { openEngine } from '../store/warehouse/engine.ts';
import { createWarehouseServer } from '../store/warehouse/http.ts';
import { runProcess } from './process.ts';

/** chDB behind ClickHouse's HTTP interface. One process a data folder: the engine itself holds the lock. */
await runProcess('warehouse', async (config) => {
  const engine = openEngine(config.warehouse.directory);
  const server = createWarehouseServer(engine, config.warehouse.key.reveal());
  server.listen(config.ports.warehouse, '127.0.0.1');
  await once(server, 'listening');
  return {
    details: { port: config.ports.warehouse },
    async stop() {
      // Statements in hand are finished; idle connections of clients end at once.
      const closed = once(server, 'close');
      server.close();
      server.closeIdleConnections();
      await closed;
      await engine.close();
    },
  };
});
