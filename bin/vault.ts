import { Vault } from '../store/sealed.ts';
import type { Config } from './config.ts';

/** Opens and seals the secrets of webhooks in the database. */
export function openVault(config: Config): Vault {
  return new Vault(Buffer.from(config.vaultKey.reveal(), 'base64url'));
}
