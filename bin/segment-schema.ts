/** Prints the JSON Schema of segment files: `node bin/segment-schema.ts > docs/reference/segment.schema.json`. */
import { segmentJsonSchema } from '../domain/segment.schema.ts';

process.stdout.write(`${JSON.stringify(segmentJsonSchema(), null, 2)}\n`);
