import { lookup as systemLookup } from 'node:dns';
import http from 'node:http';
import https from 'node:https';
import { BlockList, type LookupFunction, isIP, isIPv4 } from 'node:net';
import { KairosError } from '../../domain/errors.ts';

/** IPv4 ranges that are no public hosts (IANA's registry of special-purpose addresses). */
const NOT_PUBLIC_4: readonly (readonly [string, number])[] = [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.0.2.0', 24],
  ['192.88.99.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['198.51.100.0', 24],
  ['203.0.113.0', 24],
  ['224.0.0.0', 4],
  ['240.0.0.0', 4],
];
/** Within the one IPv6 range of public hosts, 2000::/3: tunnels, which may end anywhere, and examples. */
const NOT_PUBLIC_6: readonly (readonly [string, number])[] = [
  ['2001::', 23],
  ['2001:db8::', 32],
  ['2002::', 16],
  ['3fff::', 20],
];

const blocked4 = new BlockList();
for (const [net, bits] of NOT_PUBLIC_4) blocked4.addSubnet(net, bits, 'ipv4');
const blocked6 = new BlockList();
for (const [net, bits] of NOT_PUBLIC_6) blocked6.addSubnet(net, bits, 'ipv6');
const public6 = new BlockList();
public6.addSubnet('2000::', 3, 'ipv6');

/** True for an address of the public internet: not of this machine, this network, a tunnel or a cloud's metadata. */
export function isPublicAddress(address: string): boolean {
  if (isIPv4(address)) return !blocked4.check(address, 'ipv4');
  if (isIP(address) !== 6 || address.includes('%')) return false;
  return public6.check(address, 'ipv6') && !blocked6.check(address, 'ipv6');
}

/**
 * The address of an endpoint, checked as far as it can be without asking for its name.
 * @param allowPrivate hosts inside the network, and without TLS
 * @throws KairosError WEBHOOK_INVALID
 */
export function checkedEndpointUrl(text: string, allowPrivate: boolean): URL {
  const url = URL.canParse(text) ? new URL(text) : null;
  const isWeb = url?.protocol === 'https:' || (allowPrivate && url?.protocol === 'http:');
  if (!url || !isWeb || url.username !== '' || url.password !== '' || url.hash !== '') {
    throw new KairosError(
      'WEBHOOK_INVALID',
      `The address of a webhook endpoint must start with https:// and have neither a user nor a fragment${allowPrivate ? '' : '; KAIROS_WEBHOOKS_ALLOW_PRIVATE=true also allows http:// and hosts inside the network'}.`,
    );
  }
  const host = url.hostname.replace(/^\[|\]$/g, '');
  if (!allowPrivate && isIP(host) !== 0 && !isPublicAddress(host)) throw notPublic();
  return url;
}

const notPublic = (): KairosError =>
  new KairosError(
    'WEBHOOK_INVALID',
    'The address of a webhook endpoint leads into this network, which is refused; KAIROS_WEBHOOKS_ALLOW_PRIVATE=true allows it.',
  );

/** Asks for the name at the moment of connecting, and connects to the very addresses that were looked at. */
const publicLookup: LookupFunction = (hostname, options, callback) => {
  systemLookup(hostname, { ...options, all: true }, (error, addresses) => {
    if (error) return callback(error, '', 0);
    const bad =
      addresses.length === 0 || addresses.some(({ address }) => !isPublicAddress(address));
    if (bad) return callback(notPublic() as NodeJS.ErrnoException, '', 0);
    if (options.all === true) return callback(null, addresses);
    return callback(null, addresses[0]!.address, addresses[0]!.family);
  });
};

export interface PostAnswer {
  /** Null where none came. */
  status: number | null;
  /** A word for the operator where it failed; never what the other side wrote. */
  error: string | null;
  retryAfterSeconds: number | null;
}

/** What of an answer's body is let through before the connection is closed; nothing of it is kept. */
const ANSWER_BYTES_MAX = 64 * 1024;
const RETRY_AFTER_SECONDS_MAX = 24 * 3_600;

/** Posts JSON once, to a public host unless `allowPrivate`; follows nothing, keeps nothing, and never throws. */
export function guardedPost(
  target: string,
  request: { headers: Record<string, string>; body: string },
  options: { allowPrivate: boolean; timeoutMs: number; signal?: AbortSignal },
): Promise<PostAnswer> {
  return new Promise((resolve) => {
    const fail = (error: string): void => resolve({ status: null, error, retryAfterSeconds: null });
    let url: URL;
    try {
      url = checkedEndpointUrl(target, options.allowPrivate);
    } catch {
      return fail('address refused');
    }
    const deadline = AbortSignal.timeout(options.timeoutMs);
    const sent = (url.protocol === 'https:' ? https : http).request(url, {
      method: 'POST',
      // A connection of its own: a kept one would outlive the check of its address.
      agent: false,
      signal: options.signal ? AbortSignal.any([deadline, options.signal]) : deadline,
      headers: {
        ...request.headers,
        'Content-Type': 'application/json',
        'Content-Length': Buffer.byteLength(request.body),
      },
      ...(options.allowPrivate ? {} : { lookup: publicLookup }),
    });
    sent.on('error', (error) => fail(deadline.aborted ? 'timed out' : codeOf(error)));
    sent.on('response', (response) => {
      const status = response.statusCode ?? 0;
      let bytes = 0;
      const done = (): void => {
        const isTaken = status >= 200 && status < 300;
        const isRedirect = status >= 300 && status < 400;
        const error = isTaken ? null : isRedirect ? 'redirects, which is not followed' : 'refused';
        resolve({ status, error, retryAfterSeconds: retryAfter(response.headers['retry-after']) });
      };
      response.on('data', (chunk: Buffer) => {
        bytes += chunk.length;
        if (bytes > ANSWER_BYTES_MAX) response.destroy();
      });
      // The status is the answer: a body that does not end changes nothing about it.
      response.on('end', done);
      response.on('close', done);
      response.on('error', done);
    });
    sent.end(request.body);
  });
}

function codeOf(error: Error): string {
  if (error instanceof KairosError) return 'leads into this network';
  return (error as { code?: string }).code ?? error.name;
}

function retryAfter(header: string | undefined): number | null {
  if (header === undefined || !/^\d{1,6}$/.test(header)) return null;
  return Math.min(Number(header), RETRY_AFTER_SECONDS_MAX);
}
