import type { EventRecord } from '../domain/records.ts';
import { type InboxMail, type ReadableMail, type ReadingDeps, readMail } from './reading.ts';
import type { Reaction, ShopPeople } from './people.ts';

export interface WebRequest {
  readonly url: string;
  readonly method: 'GET' | 'POST';
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
}

export interface WebAnswer {
  readonly status: number;
  /** The Location header; redirects are never followed, since they lead to a shop that does not exist. */
  readonly location: string | null;
}

export interface DriverDeps extends ReadingDeps {
  readonly people: ShopPeople;
  /** Mails of the inbox behind this number, ascending; an empty list where there are none (yet). */
  listMails(afterSeq: number): Promise<readonly InboxMail[]>;
  fetchUrl(request: WebRequest): Promise<WebAnswer>;
  /** Sends events to the intake, as a shop's own code would. */
  track(events: readonly EventRecord[]): Promise<void>;
  /** Requests under way at once; 16 by default. */
  readonly concurrency?: number;
}

export type FetchKind = 'machineOpen' | 'open' | 'click' | 'unsubscribe';

/** One thing that a person does, at a moment of shop time. */
export type Action =
  | {
      readonly kind: 'fetch';
      readonly what: FetchKind;
      readonly atMs: number;
      readonly mail: number;
      readonly request: WebRequest;
    }
  | {
      readonly kind: 'track';
      readonly atMs: number;
      /** The mail whose click led to the events; null for what people do of their own accord. */
      readonly mail: number | null;
      readonly events: readonly EventRecord[];
    };

export interface Performed {
  readonly opens: number;
  readonly machineOpens: number;
  readonly clicks: number;
  readonly unsubscribes: number;
  readonly orders: number;
  /** Requests that were answered with an error, or not at all. */
  readonly failures: number;
}

export interface ShopDriver {
  /** All mails that arrived since the last call. */
  newMails(): Promise<InboxMail[]>;
  /**
   * What people do about these mails, and what everyone buys of their own accord, in [fromMs, toMs) of shop time;
   * sorted by time. Mails to strangers are left alone.
   */
  planActions(mails: readonly InboxMail[], fromMs: number, toMs: number): Action[];
  /** Does it, with bounded concurrency; the actions about one mail one after another. */
  perform(actions: readonly Action[]): Promise<Performed>;
}

const EVENTS_PER_REQUEST = 100;

/** Brings the sample shop's people to a running Kairos: through real mails, real links and the real intake. */
export function createShopDriver(deps: DriverDeps): ShopDriver {
  let lastSeq = 0;
  // Which campaign a click's landing page named, by mail: the shop notes it on the order that follows.
  const landings = new Map<number, string>();
  return {
    async newMails() {
      const mails: InboxMail[] = [];
      for (;;) {
        const page = await deps.listMails(lastSeq);
        if (page.length === 0) return mails;
        mails.push(...page);
        lastSeq = page.at(-1)!.seq;
      }
    },
    planActions: (mails, fromMs, toMs) => planActions(deps, mails, fromMs, toMs),
    perform: (actions) => perform(deps, landings, actions),
  };
}

/** Actions in portions of at most `everyMs` of shop time; `atMs` is the last one's moment, to set the shop clock to. */
export function slicesOf(
  actions: readonly Action[],
  everyMs: number,
): { atMs: number; actions: Action[] }[] {
  const slices: { atMs: number; actions: Action[] }[] = [];
  let startMs = -Infinity;
  for (const action of actions) {
    if (slices.length === 0 || action.atMs >= startMs + everyMs) {
      startMs = action.atMs;
      slices.push({ atMs: action.atMs, actions: [] });
    }
    const slice = slices.at(-1)!;
    slice.atMs = action.atMs;
    slice.actions.push(action);
  }
  return slices;
}

function planActions(
  deps: DriverDeps,
  mails: readonly InboxMail[],
  fromMs: number,
  toMs: number,
): Action[] {
  const actions: Action[] = [];
  const reactions = new Map<string, Reaction[]>();
  for (const mail of mails) {
    const externalId = mail.to[0] === undefined ? null : deps.people.personAt(mail.to[0]);
    if (externalId === null) continue;
    const readable = readMail(deps, mail);
    const caused = deps.people.react(externalId, readable);
    reactions.set(externalId, [...(reactions.get(externalId) ?? []), ...caused]);
    actions.push(...actionsOf(mail, readable, caused));
  }
  for (const order of deps.people.organicOrders(fromMs, toMs, reactions)) {
    actions.push({ kind: 'track', atMs: order.atMs, mail: null, events: [order] });
  }
  return actions
    .filter((action) => action.atMs >= fromMs && action.atMs < toMs)
    .sort((a, b) => a.atMs - b.atMs);
}

const READER = 'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0';
/** Privacy proxies that fetch pictures ahead of the reader name themselves no further than this. */
const MACHINE = 'Mozilla/5.0';

function actionsOf(
  mail: InboxMail,
  readable: ReadableMail,
  reactions: readonly Reaction[],
): Action[] {
  const actions: Action[] = [];
  const get = (
    what: FetchKind,
    atMs: number,
    url: string | null | undefined,
    agent: string,
  ): void => {
    if (!url) return;
    const request = { url, method: 'GET', headers: { 'user-agent': agent } } as const;
    actions.push({ kind: 'fetch', what, atMs, mail: mail.seq, request });
  };
  for (const reaction of reactions) {
    switch (reaction.kind) {
      case 'machineOpen':
        get('machineOpen', reaction.atMs, readable.pixel, MACHINE);
        break;
      case 'open':
        get('open', reaction.atMs, readable.pixel, READER);
        break;
      case 'click':
        get('click', reaction.atMs, readable.shopLinks[reaction.link], READER);
        break;
      case 'unsubscribe':
        if (mail.unsubscribe.url !== null && mail.unsubscribe.oneClick) {
          actions.push(oneClick(mail.seq, reaction.atMs, mail.unsubscribe.url));
        }
        break;
      case 'order':
        actions.push({
          kind: 'track',
          atMs: reaction.atMs,
          mail: reaction.byClick ? mail.seq : null,
          events: reaction.events,
        });
        break;
      case 'stayAway':
      case 'useCoupon':
        // Nothing to do: they change the orders of the person's own accord.
        break;
    }
  }
  return actions;
}

/** The POST of RFC 8058 §3.2: as the mail program does it, without cookies and without a referrer. */
function oneClick(mail: number, atMs: number, url: string): Action {
  const headers = {
    'user-agent': MACHINE,
    'content-type': 'application/x-www-form-urlencoded',
  };
  const request = { url, method: 'POST', headers, body: 'List-Unsubscribe=One-Click' } as const;
  return { kind: 'fetch', what: 'unsubscribe', atMs, mail, request };
}

async function perform(
  deps: DriverDeps,
  landings: Map<number, string>,
  actions: readonly Action[],
): Promise<Performed> {
  const done = { opens: 0, machineOpens: 0, clicks: 0, unsubscribes: 0, orders: 0, failures: 0 };
  const chains = new Map<number, (Action & { kind: 'fetch' })[]>();
  for (const action of actions) {
    if (action.kind !== 'fetch') continue;
    const chain = chains.get(action.mail);
    if (chain) chain.push(action);
    else chains.set(action.mail, [action]);
  }
  await inParallel([...chains.values()], deps.concurrency ?? 16, async (chain) => {
    for (const action of chain) await fetchOne(deps, landings, action, done);
  });
  // Orders follow the clicks that led to them, so that the landing page is known.
  const events = actions.flatMap((action) =>
    action.kind === 'track' ? noted(action, landings) : [],
  );
  for (let start = 0; start < events.length; start += EVENTS_PER_REQUEST) {
    await deps.track(events.slice(start, start + EVENTS_PER_REQUEST));
  }
  done.orders = events.filter((event) => 'orderId' in event.properties).length;
  return done;
}

const COUNTER = {
  machineOpen: 'machineOpens',
  open: 'opens',
  click: 'clicks',
  unsubscribe: 'unsubscribes',
} as const;

async function fetchOne(
  deps: DriverDeps,
  landings: Map<number, string>,
  action: Action & { kind: 'fetch' },
  done: Record<keyof Performed, number>,
): Promise<void> {
  const answer = await deps.fetchUrl(action.request).catch(() => null);
  if (answer === null || answer.status >= 400) {
    done.failures += 1;
    return;
  }
  done[COUNTER[action.what]] += 1;
  const campaign = URL.parse(answer.location ?? '')?.searchParams.get('utm_campaign');
  if (action.what === 'click' && campaign) landings.set(action.mail, campaign);
}

/** The events as the shop sends them: an order that followed a click names the campaign of its landing page. */
function noted(
  action: Action & { kind: 'track' },
  landings: ReadonlyMap<number, string>,
): readonly EventRecord[] {
  const campaign = action.mail === null ? undefined : landings.get(action.mail);
  if (campaign === undefined) return action.events;
  return action.events.map((event) =>
    'orderId' in event.properties
      ? { ...event, properties: { ...event.properties, campaign } }
      : event,
  );
}

async function inParallel<T>(
  items: readonly T[],
  limit: number,
  work: (item: T) => Promise<void>,
): Promise<void> {
  let next = 0;
  const run = async (): Promise<void> => {
    for (;;) {
      const item = items[next];
      next += 1;
      if (item === undefined) return;
      await work(item);
    }
  };
  await Promise.all(Array.from({ length: Math.min(limit, items.length) }, run));
}
