import { Agent, request } from 'node:http';
import { parseArgs } from 'node:util';

/** What one run of the client saw; printed as JSON. */
export interface ClientRun {
  seconds: number;
  acknowledged: number;
  /** Requests by status; 0 is a connection that ended without an answer. */
  statuses: Record<string, number>;
  /** Of answered requests, in milliseconds. */
  latencies: number[];
  /** Numbers of the batches that were acknowledged. */
  batches: number[];
  cpuMs: number;
}

const PER_BATCH = 500;
const ID_DIGITS = 11;
const { values } = parseArgs({
  options: {
    port: { type: 'string' },
    key: { type: 'string' },
    seconds: { type: 'string' },
    connections: { type: 'string' },
    // Requests a second, whatever the answers say; without it each connection sends as soon as it has its answer.
    rate: { type: 'string' },
    first: { type: 'string', default: '0' },
    people: { type: 'string', default: '100000' },
  },
});
const people = Number(values.people);
const agent = new Agent({ keepAlive: true, maxSockets: Number(values.connections) });
const authorization = `Basic ${Buffer.from(`${values.key}:`).toString('base64')}`;
const run: ClientRun = {
  seconds: 0,
  acknowledged: 0,
  statuses: {},
  latencies: [],
  batches: [],
  cpuMs: 0,
};

/** A body as a client library sends it, and where the digits of its message ids stand. */
function template(): { body: Buffer; at: number[] } {
  const sentAt = new Date().toISOString();
  const events = Array.from({ length: PER_BATCH }, (_, index) => ({
    type: 'track',
    messageId: `bench-${'0'.repeat(ID_DIGITS)}-${1_000 + index}`,
    userId: `customer-${Math.floor(Math.random() * people)}`,
    event: index % 10 === 0 ? 'Product Added' : 'Product Viewed',
    timestamp: sentAt,
    properties: {
      product_id: `sku-${index * 7}`,
      category: 'Kitchen & Dining',
      name: 'Stoneware cup, 30 cl',
      price: 9.5 + index,
      quantity: 1,
      currency: 'EUR',
    },
    context: { library: { name: '@segment/analytics-node', version: '3.1.0' } },
  }));
  const body = Buffer.from(JSON.stringify({ batch: events, sentAt }));
  const at: number[] = [];
  for (let from = body.indexOf('"bench-'); from >= 0; from = body.indexOf('"bench-', from + 1)) {
    at.push(from + 7);
  }
  return { body, at };
}

const templates = Array.from({ length: 40 }, template);
let batch = Number(values.first);

function nextBody(number: number): Buffer {
  const { body, at } = templates[number % templates.length]!;
  const copy = Buffer.from(body);
  const digits = String(number).padStart(ID_DIGITS, '0');
  for (const place of at) copy.write(digits, place, 'latin1');
  return copy;
}

function send(): Promise<void> {
  const number = batch++;
  const body = nextBody(number);
  const started = performance.now();
  return new Promise((resolve) => {
    let ended = false;
    const end = (status: number): void => {
      if (ended) return;
      ended = true;
      run.statuses[status] = (run.statuses[status] ?? 0) + 1;
      resolve();
    };
    const outgoing = request(
      {
        host: '127.0.0.1',
        port: Number(values.port),
        path: '/v1/batch',
        method: 'POST',
        agent,
        headers: {
          authorization,
          'content-type': 'application/json',
          'content-length': body.length,
        },
      },
      (answer) => {
        let text = '';
        answer.setEncoding('utf8').on('data', (part: string) => (text += part));
        answer.on('end', () => {
          if (answer.statusCode === 200) {
            run.latencies.push(performance.now() - started);
            run.acknowledged += (JSON.parse(text) as { accepted: number }).accepted;
            run.batches.push(number);
          }
          end(answer.statusCode ?? 0);
        });
        answer.on('error', () => end(0));
      },
    );
    outgoing.on('error', () => end(0));
    outgoing.end(body);
  });
}

const startedAt = performance.now();
const until = startedAt + Number(values.seconds) * 1_000;
if (values.rate === undefined) {
  const loop = async (): Promise<void> => {
    while (performance.now() < until) await send();
  };
  await Promise.all(Array.from({ length: Number(values.connections) }, loop));
} else {
  const rate = Number(values.rate);
  const under = new Set<Promise<void>>();
  let sent = 0;
  while (performance.now() < until) {
    const due = ((performance.now() - startedAt) / 1_000) * rate;
    // As many as there are connections: what waits in this process would only fill its own memory.
    for (; sent < due && under.size < Number(values.connections); sent += 1) {
      const one = send();
      under.add(one);
      void one.finally(() => under.delete(one));
    }
    sent = Math.max(sent, Math.floor(due));
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  await Promise.all(under);
}
run.seconds = (performance.now() - startedAt) / 1_000;
run.cpuMs = (process.cpuUsage().user + process.cpuUsage().system) / 1_000;
console.log(JSON.stringify(run));
agent.destroy();
