import { createHmac, randomBytes } from 'node:crypto';

const PREFIX = 'whsec_';

/** A new secret in the form of the Standard Webhooks spec. */
export function newWebhookSecret(): string {
  return PREFIX + randomBytes(32).toString('base64');
}

/** The `webhook-signature` of a body by the spec: over its id, the time of the attempt in seconds, and the very bytes. */
export function webhookSignature(
  secret: string,
  message: { id: string; seconds: number; body: string },
): string {
  const key = Buffer.from(secret.slice(PREFIX.length), 'base64');
  const hmac = createHmac('sha256', key);
  hmac.update(`${message.id}.${message.seconds}.${message.body}`, 'utf8');
  return `v1,${hmac.digest('base64')}`;
}
