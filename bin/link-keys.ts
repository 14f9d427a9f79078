import type { LinkKey } from '../domain/link-token.ts';
import type { Config } from './config.ts';

/** The keys of tracked links, the one that new mails are signed with first. `k7` in the secrets is key 7 in a token. */
export function linkKeys(config: Config): LinkKey[] {
  return config.links.map(({ id, key }) => ({
    id: Number(id.replace(/^k/, '')) % 256,
    secret: Buffer.from(key.reveal(), 'base64url'),
  }));
}
