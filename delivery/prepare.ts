import type { ShopClock } from '../domain/clock.ts';
import { type LinkKey, signTokens } from '../domain/link-token.ts';
import type { CampaignRow } from '../store/campaigns.ts';
import type { LeasedMessage } from '../store/ledger.ts';
import type { TemplateData, TemplateProduct } from '../templates/data.ts';
import { type CompiledTemplate, type FrozenTemplate, openTemplate } from '../templates/render.ts';
import { type PreparedMime, prepareMime } from './mime.ts';
import type { PreparedCampaign } from './sender.ts';

/** What all campaigns of a shop share. */
export interface Sending {
  shop: TemplateData['shop'];
  /** What tracked links start with, without a slash at the end. */
  publicUrl: string;
  /** The key that new mails are signed with. */
  linkKey: LinkKey;
  clock: ShopClock;
  /** The catalogue by sku; products that are gone are left out of a mail. */
  readonly products: () => ReadonlyMap<string, TemplateProduct>;
}

/** What of a campaign's row makes its mails. */
export type FrozenCampaign = Pick<CampaignRow, 'no' | 'id' | 'definition' | 'templates'>;

interface PreparedVariant {
  template: CompiledTemplate;
  variant: TemplateData['variant'];
  offer: TemplateData['offer'];
}

/** Does once what is the same in all mails of a campaign; `build` fills in the person. */
export function prepareCampaign(row: FrozenCampaign, sending: Sending): PreparedCampaign {
  const { definition } = row;
  const mime = prepareMime({
    from: definition.from,
    replyTo: definition.replyTo,
    headers: {
      'Feedback-ID': `${row.no}:${definition.id}:kairos`,
      'X-Kairos-Campaign': definition.id,
    },
  });
  const frozen = row.templates as Record<string, FrozenTemplate>;
  const variants = definition.variants.map((variant): PreparedVariant => ({
    template: openTemplate(frozen[variant.id]!, '\r\n'),
    variant: Object.freeze({ id: variant.id }),
    offer: variant.offer ? Object.freeze({ ...variant.offer }) : null,
  }));
  const shared = {
    // Frozen, so that the renderer copies them once and not for each mail.
    shop: Object.freeze({ ...sending.shop }),
    campaign: Object.freeze({ id: definition.id, name: definition.name }),
    from: definition.from.address,
    mailDomain: definition.from.address.split('@')[1]!,
  };
  return {
    campaignNo: row.no,
    campaignId: row.id,
    from: definition.from.address,
    build: (message) => buildMail(row, sending, mime, variants[message.variant]!, shared, message),
  };
}

function buildMail(
  row: FrozenCampaign,
  sending: Sending,
  mime: PreparedMime,
  { template, variant, offer }: PreparedVariant,
  shared: { shop: TemplateData['shop']; campaign: TemplateData['campaign']; mailDomain: string },
  message: LeasedMessage,
): Buffer {
  const subject = { campaignNo: row.no, step: 0, personId: message.personId };
  const { link: token, message: messageToken } = signTokens(sending.linkKey, subject);
  const unsubscribeUrl = `${sending.publicUrl}/u/${token}`;
  const mail = template.render(
    {
      person: personOf(message),
      shop: shared.shop,
      campaign: shared.campaign,
      variant,
      offer,
      products: productsOf(message, sending.products()),
      score: numberOf(message.decision?.['score']),
      reason: textOf(message.decision?.['reason']),
    },
    {
      linkPrefix: `${sending.publicUrl}/c/${token}/`,
      openUrl: `${sending.publicUrl}/o/${token}.gif`,
      unsubscribeUrl,
    },
  );
  return mime.build({
    to: { name: '', address: message.address },
    subject: mail.subject,
    messageId: `${messageToken}@${shared.mailDomain}`,
    dateMs: sending.clock.nowMs(),
    listUnsubscribe: { url: unsubscribeUrl },
    text: mail.text,
    html: mail.html,
  });
}

/** The first word of a name, as greetings use it; a name in one piece is one. */
function personOf(message: LeasedMessage): TemplateData['person'] {
  const { name, country, traits } = message;
  const firstName = name?.trim().split(/\s+/)[0];
  return {
    ...(traits as TemplateData['person']),
    ...(firstName ? { firstName } : {}),
    name,
    country,
  };
}

function productsOf(
  message: LeasedMessage,
  catalogue: ReadonlyMap<string, TemplateProduct>,
): TemplateProduct[] {
  const skus = message.decision?.['products'];
  if (!Array.isArray(skus)) return [];
  return skus.flatMap((sku) => catalogue.get(sku as string) ?? []);
}

const numberOf = (value: unknown): number | null => (typeof value === 'number' ? value : null);
const textOf = (value: unknown): string | null => (typeof value === 'string' ? value : null);
