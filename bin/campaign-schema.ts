/** Prints the JSON Schema of campaign files: `node bin/campaign-schema.ts > docs/reference/campaign.schema.json`. */
import { campaignJsonSchema } from '../domain/campaign.schema.ts';

process.stdout.write(`${JSON.stringify(campaignJsonSchema(), null, 2)}\n`);
