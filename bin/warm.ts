import { fileURLToPath } from 'node:url';
import { loadWorkflowBundle } from './bundle.ts';
import { cacheDirectory } from './config.ts';

/** What the set-up runs last: builds what the first start would wait for, the workflow bundle and compiled modules. */
const checkout = fileURLToPath(new URL('..', import.meta.url));
await Promise.all([
  loadWorkflowBundle(cacheDirectory(checkout)),
  import('./campaign-deps.ts'),
  import('./learner.ts'),
  import('./demo.ts'),
  import('../delivery/queue.ts'),
  import('../server/public/app.ts'),
]);
// The SDK's module keeps the process alive.
process.exit(0);
