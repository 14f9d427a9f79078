((w, d) => {
  const MAX = 100;
  const KEEP = 1000;
  const QUEUE = 'kairos.queue';
  const VISITOR = 'kairos.visitor';
  const USER = 'kairos.user';
  const script = d.currentScript;
  const early = w.kairos?.q ?? [];
  const key = script?.dataset.key;
  const url = (script?.dataset.host ?? (script ? new URL(script.src).origin : '')) + '/v1/batch';
  const memory = {};
  const read = (name) => {
    try {
      return JSON.parse(w.localStorage.getItem(name)) ?? memory[name];
    } catch {
      return memory[name];
    }
  };
  const keep = (name, value) => {
    memory[name] = value;
    try {
      w.localStorage.setItem(name, JSON.stringify(value));
    } catch {}
  };
  const id = () => {
    if (w.crypto?.randomUUID) return w.crypto.randomUUID();
    return 'x'.repeat(24).replace(/x/g, () => Math.floor(Math.random() * 36).toString(36));
  };
  const visitor = () => {
    if (!read(VISITOR)) keep(VISITOR, id());
    return read(VISITOR);
  };
  let waiting = read(QUEUE) ?? [];
  let timer = 0;
  let busy = false;
  let wait = 1000;
  const body = (calls) =>
    JSON.stringify({ writeKey: key, sentAt: new Date().toISOString(), batch: calls });
  const flush = () => {
    clearTimeout(timer);
    timer = 0;
    if (busy || !waiting.length) return;
    busy = true;
    const calls = waiting.slice(0, MAX);
    // Plain text needs no question beforehand, so that one request does.
    fetch(url, {
      method: 'POST',
      body: body(calls),
      headers: { 'content-type': 'text/plain' },
      credentials: 'omit',
    })
      .then((answer) => {
        if (answer.status === 429 || answer.status >= 500) throw new Error();
        const sent = new Set(calls.map((call) => call.messageId));
        waiting = waiting.filter((call) => !sent.has(call.messageId));
        keep(QUEUE, waiting);
        wait = 1000;
        busy = false;
        flush();
      })
      .catch(() => {
        busy = false;
        timer = setTimeout(flush, wait * (1 + Math.random()));
        wait = Math.min(wait * 2, 60000);
      });
  };
  // A page that goes away waits for no answer; the next page sends it again, and its id tells that it is known.
  const leave = () => {
    if (waiting.length && navigator.sendBeacon)
      navigator.sendBeacon(url, body(waiting.slice(0, MAX)));
  };
  const add = (call) => {
    waiting.push({
      messageId: 'k-' + id(),
      timestamp: new Date().toISOString(),
      anonymousId: visitor(),
      userId: read(USER) ?? undefined,
      ...call,
    });
    // Those of long ago go first where the shop cannot be reached for long.
    waiting = waiting.slice(-KEEP);
    keep(QUEUE, waiting);
    if (!timer && !busy) timer = setTimeout(flush, 250);
  };
  const api = {
    track: (event, properties = {}) => add({ type: 'track', event, properties }),
    page: (name, properties) =>
      add({
        type: 'page',
        name,
        properties: {
          path: w.location.pathname,
          url: w.location.href.split('#')[0],
          title: d.title,
          referrer: d.referrer,
          ...properties,
        },
      }),
    identify: (user, traits = {}) => {
      if (typeof user === 'object') return add({ type: 'identify', traits: user ?? {} });
      // Another customer at the same device is another visitor.
      if (read(USER) && read(USER) !== String(user)) keep(VISITOR, id());
      keep(USER, String(user));
      return add({ type: 'identify', traits });
    },
    reset: () => {
      keep(USER, null);
      keep(VISITOR, id());
    },
    flush,
    anonymousId: visitor,
  };
  w.kairos = api;
  w.addEventListener('pagehide', leave);
  d.addEventListener('visibilitychange', () => d.visibilityState === 'hidden' && leave());
  w.addEventListener('online', flush);
  for (const [name, ...values] of early) api[name]?.(...values);
  flush();
})(window, document);
