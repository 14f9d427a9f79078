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
  // Deleted while it is open, the folder must not be written to any more: the next start begins with an empty one.
  const watch = setInterval(() => {
    if (engine.isFolderThere()) return;
    console.error('the data folder of the warehouse is gone: ends, to be started on an empty one');
    // An exit in order would let the engine write to what is no longer there, and wait for it.
    process.kill(process.pid, 'SIGKILL');
  }, 1_000);
  return {
    details: { port: config.ports.warehouse },
    async stop() {
      clearInterval(watch);
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
