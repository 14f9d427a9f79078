/**
 * Who opened or clicked: a person, or a machine that looks at every mail before or instead of the person (a security
 * scanner, a privacy proxy that fetches pictures unasked, a link preview). Both are kept in the log; reports and models
 * count people only.
 */
export interface Sighting {
  readonly kind: 'open' | 'click';
  /** HTTP method: only machines ask for the head of a link. */
  readonly method: string;
  readonly userAgent: string | null;
  /** Shop time of the request. */
  readonly atMs: number;
  /** Shop time at which the mail was accepted; null where that is not known (yet). */
  readonly deliveredAtMs: number | null;
}

/** Nobody reads a mail within two seconds of its delivery; scanners at the mailbox's door do. */
export const HUMAN_AFTER_MS = 2_000;

/** Programs that fetch by themselves, in lower case. A browser's name never holds one of these words. */
const MACHINE_WORDS =
  /bot\b|bot\/|crawl|spider|preview|scanner|\bscan\b|prefetch|headless|phantom|monitor|validator|link.?check|curl\/|wget\/|python|go-http-client|\bjava\/|libwww|apache-httpclient|okhttp|node-fetch|undici|axios\/|^node\b|barracuda|proofpoint|mimecast|symantec|trendmicro|bitdefender|fortinet|sophos|safelinks|urldefense|facebookexternalhit|slack-imgproxy|whatsapp|telegrambot/;

/** Proxies that fetch a mail's pictures whether or not anyone looks; they say nothing of who follows a link. */
const PICTURE_PROXIES =
  /googleimageproxy|ggpht\.com|yahoomailproxy|applemail-privacy|protonmail-proxy/;

/** Apple's privacy proxy names itself as the bare beginning of every browser's name. */
const APPLE_PROXY = /^mozilla\/5\.0$/;
/** Gmail's prefetch poses as this one build of an old browser. */
const GMAIL_PREFETCH = /chrome\/42\.0\.2311\.135 safari\/537\.36 edge\/12\.246/;

/** Longer names are an attempt to keep us busy. */
const USER_AGENT_CHARS_MAX = 500;

/**
 * The rule. A machine is: a HEAD request; a request without a browser's name, or with the name of a known scanner,
 * library or preview; an open by a proxy that fetches pictures unasked; anything within two seconds of the delivery.
 */
export function isMachine(sighting: Sighting): boolean {
  if (sighting.method === 'HEAD') return true;
  const agent = (sighting.userAgent ?? '').slice(0, USER_AGENT_CHARS_MAX).trim().toLowerCase();
  if (agent === '' || MACHINE_WORDS.test(agent)) return true;
  if (sighting.kind === 'open') {
    const proxied =
      PICTURE_PROXIES.test(agent) || APPLE_PROXY.test(agent) || GMAIL_PREFETCH.test(agent);
    if (proxied) return true;
  }
  const { deliveredAtMs } = sighting;
  return deliveredAtMs !== null && sighting.atMs - deliveredAtMs < HUMAN_AFTER_MS;
}
