import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from 'node:crypto';
import { KairosError } from '../domain/errors.ts';

/**
 * Secrets that stand in the database are sealed by AES-256-GCM with a key that does not: whoever has a copy of the
 * database alone has none of them. `subject` is bound to it, so that no row can be put in another one's place.
 */
export class Vault {
  readonly #key: Buffer;

  /** @param secret at least 32 random bytes, of the installation's secrets file */
  constructor(secret: Buffer) {
    if (secret.length < 32) throw new Error('the key of the vault is too short');
    this.#key = Buffer.from(hkdfSync('sha256', secret, '', 'kairos vault 1', 32));
  }

  seal(subject: string, text: string): Buffer {
    const nonce = randomBytes(12);
    const cipher = createCipheriv('aes-256-gcm', this.#key, nonce);
    cipher.setAAD(Buffer.from(subject));
    const sealed = Buffer.concat([cipher.update(text, 'utf8'), cipher.final()]);
    return Buffer.concat([nonce, cipher.getAuthTag(), sealed]);
  }

  /** @throws KairosError CONFIG_INVALID where it was sealed with another key */
  open(subject: string, sealed: Buffer): string {
    try {
      const decipher = createDecipheriv('aes-256-gcm', this.#key, sealed.subarray(0, 12));
      decipher.setAAD(Buffer.from(subject));
      decipher.setAuthTag(sealed.subarray(12, 28));
      return decipher.update(sealed.subarray(28), undefined, 'utf8') + decipher.final('utf8');
    } catch {
      throw new KairosError(
        'CONFIG_INVALID',
        `The secret of ${subject} was sealed with another secrets.json: put that file back, or remove and add ${subject} again.`,
      );
    }
  }
}
