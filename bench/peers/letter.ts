import { rmSync } from 'node:fs';
import { dirname } from 'node:path';
import { fixedClock } from '../../domain/clock.ts';
import type { LinkKey } from '../../domain/link-token.ts';
import { prepareCampaign } from '../../delivery/prepare.ts';
import type { PreparedCampaign } from '../../delivery/sender.ts';
import type { LeasedMessage } from '../../store/ledger.ts';
import { checkTemplate } from '../../templates/freeze.ts';
import { loadTemplate } from '../../templates/load.ts';
import { type CompiledTemplate, type RenderedMail, openTemplate } from '../../templates/render.ts';
import type { TemplateData } from '../../templates/data.ts';
import { benchCampaigns } from '../delivery/message.ts';

/** The bench's letter, ready for any sender: personal, in HTML and text, with tracked links. */
export interface Letter {
  /** As Kairos's sender has it: rendered, in MIME, with its headers. */
  readonly campaign: PreparedCampaign;
  readonly person: (index: number) => LeasedMessage;
  /** The same texts for a sender that makes its own MIME; the links are tracked alike. */
  readonly render: (person: LeasedMessage) => RenderedMail;
}

const FROM = { name: 'Bench', address: 'news@bench.test' };
const SHOP: TemplateData['shop'] = {
  name: 'Bench',
  url: 'https://shop.example/',
  postalAddress: 'Bench, 1 Street, 10115 Berlin',
  currency: 'EUR',
};
const PUBLIC_URL = 'https://mail.shop.example';

export async function benchLetter(): Promise<Letter> {
  const campaigns = benchCampaigns();
  const files = await loadTemplate('bench', campaigns.templatesFolder);
  rmSync(dirname(campaigns.templatesFolder), { recursive: true });
  const subject = "{{fallback person.firstName 'Hello'}}, this is for you";
  const { frozen, problems } = checkTemplate({ ...files, subject });
  if (frozen === null) throw new Error(`the bench's template: ${JSON.stringify(problems)}`);
  const linkKey: LinkKey = { id: 1, secret: Buffer.alloc(32, 7) };
  const campaign = prepareCampaign(
    {
      no: 1,
      id: 'bench',
      definition: {
        id: 'bench',
        name: 'Bench',
        from: FROM,
        variants: [{ id: 'only', template: 'bench', subject }],
      } as never,
      templates: { only: frozen },
    },
    {
      shop: SHOP,
      publicUrl: PUBLIC_URL,
      linkKey,
      clock: fixedClock(Date.UTC(2026, 10, 24)),
      products: () => new Map(),
    },
  );
  const template = openTemplate(frozen);
  return { campaign, person, render: (message) => renderFor(template, message) };
}

function person(index: number): LeasedMessage {
  return {
    personId: index,
    externalId: `p${index}`,
    attempt: 0,
    locale: 'de',
    address: `person.${index}@bench.test`,
    name: `Maria${index} Example`,
    country: 'DE',
    traits: { city: 'Köln', tier: 'gold', points: index },
    variant: 0,
    decision: {},
  };
}

function renderFor(template: CompiledTemplate, message: LeasedMessage): RenderedMail {
  const token = `AQEA${message.personId.toString(36)}xYzXyZxYzXyZ`;
  return template.render(
    {
      person: {
        ...(message.traits as TemplateData['person']),
        firstName: message.name!.split(' ')[0]!,
        country: message.country,
      },
      shop: SHOP,
      campaign: { id: 'bench', name: 'Bench' },
      variant: { id: 'only' },
      offer: null,
      products: [],
    },
    {
      linkPrefix: `${PUBLIC_URL}/c/${token}/`,
      openUrl: `${PUBLIC_URL}/o/${token}.gif`,
      unsubscribeUrl: `${PUBLIC_URL}/u/${token}`,
    },
  );
}
