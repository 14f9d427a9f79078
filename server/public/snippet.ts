import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';

/** What a page may weigh more for us. */
export const SNIPPET_BYTES_MAX = 4_096;

/** The script for pages of shops, as it is sent: without comments and indentation. */
export const SNIPPET = readFileSync(new URL('./snippet.js', import.meta.url), 'utf8')
  .split('\n')
  .map((line) => line.trim())
  .filter((line) => line !== '' && !line.startsWith('//'))
  .join('\n');

const TAG = `"${createHash('sha256').update(SNIPPET).digest('base64url').slice(0, 20)}"`;

/** `/k.js`: any page may load it; it is asked for again after an hour. */
export function answerSnippet(ifNoneMatch: string | undefined): Response {
  const headers = {
    'Cache-Control': 'public, max-age=3600',
    'Cross-Origin-Resource-Policy': 'cross-origin',
    ETag: TAG,
  };
  if (ifNoneMatch === TAG) return new Response(null, { status: 304, headers });
  return new Response(SNIPPET, {
    headers: { ...headers, 'Content-Type': 'text/javascript; charset=utf-8' },
  });
}
