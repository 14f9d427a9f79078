// A supervisor in a process of its own, for tests that kill it: node test/bin/supervisor-process.ts DATA_FOLDER
import { startStack } from '../../bin/supervisor/stack.ts';

const [dataDir = ''] = process.argv.slice(2);
const stack = await startStack({
  dataDir,
  shop: 'none',
  only: ['temporal', 'postgres', 'warehouse'],
  ports: 'random',
});
const pids = (['temporal', 'postgres', 'warehouse'] as const).map((name) => stack.pid(name));
process.stdout.write(`${JSON.stringify({ pids })}\n`);
process.once('SIGTERM', () => void stack.stop());
