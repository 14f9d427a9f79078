import { importFiles } from '../../store/import/pipeline.ts';
import { connectPostgres } from '../../store/postgres.ts';

/** An import in a process of its own, for a test that kills it: `import-child.ts URL FILE`. */
const [url, file] = process.argv.slice(2);
const db = connectPostgres(url!, 'import to be killed', 4);
await importFiles(db, { kind: 'orders', files: [file!] });
await db.end();
