import type { VariantDefinition } from '../domain/campaign.ts';
import type { TemplateSource } from './freeze.ts';
import type { TemplateFiles } from './load.ts';

/** What a variant makes of a template: its files with the variant's own words and offer, and the shop's address. */
export function variantSource(
  variant: VariantDefinition,
  files: TemplateFiles,
  shop: { readonly url: string; readonly locale?: string },
): TemplateSource {
  return {
    ...files,
    subject: variant.subject,
    preheader: variant.preheader ?? '',
    offer: variant.offer ?? null,
    shopUrl: shop.url,
    ...(shop.locale ? { locale: shop.locale } : {}),
  };
}
