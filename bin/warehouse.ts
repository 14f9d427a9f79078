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
      // Statements in hand are finished; a connection ends as soon as it has none, since clients keep theirs open.
      const closed = once(server, 'close');
      server.close();
      const closing = setInterval(() => server.closeIdleConnections(), 20);
      await closed;
      clearInterval(closing);
      await engine.close();
    },
  };
});
