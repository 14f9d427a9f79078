// Preloaded by `npm start` and `npm run kairos` (`--import`), before anything of ours is compiled: what V8 compiled is
// kept beside the dependencies, which halves the time until the command line answers.
import { enableCompileCache } from 'node:module';
import { fileURLToPath } from 'node:url';

enableCompileCache(
  fileURLToPath(new URL('../node_modules/.cache/kairos/compile', import.meta.url)),
);
