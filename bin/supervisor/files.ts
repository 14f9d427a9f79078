import {
  chmodSync,
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import type { ProcessIdentity } from './identity.ts';
import type { Ports } from './ports.ts';

/**
 * The supervisor's own files in the data folder: `state.json` (addresses; read by the command line),
 * `supervisor.json` (who runs this folder) and `run/<name>.json` (which process is which).
 */
export interface StackState {
  shop: string;
  ports: Ports;
  /** True while the process keeps everything in this folder; addresses stay when it ends. */
  startedAt: string;
}

/** Writes all or nothing: a crash leaves the old content, never half of the new. */
export function writeFileAtomically(path: string, content: string, mode = 0o600): void {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  const draft = `${path}.${process.pid}.tmp`;
  const file = openSync(draft, 'w', mode);
  try {
    writeSync(file, content);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  // `mode` above is subject to the umask, and the draft of a crash may have had another.
  chmodSync(draft, mode);
  renameSync(draft, path);
}

/** The JSON in a file; undefined when there is none or it is not JSON. */
export function readJson<T>(path: string): T | undefined {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as T;
  } catch {
    return undefined;
  }
}

export const stateFile = (dataDir: string): string => join(dataDir, 'state.json');
export const supervisorFile = (dataDir: string): string => join(dataDir, 'supervisor.json');
export const runFolder = (dataDir: string): string => join(dataDir, 'run');
export const runFile = (dataDir: string, name: string): string =>
  join(runFolder(dataDir), `${name}.json`);
export const logFile = (dataDir: string, name: string): string =>
  join(dataDir, 'log', `${name}.log`);

export function readState(dataDir: string): StackState | undefined {
  return readJson<StackState>(stateFile(dataDir));
}

export function writeState(dataDir: string, state: StackState): void {
  writeFileAtomically(stateFile(dataDir), `${JSON.stringify(state, null, 2)}\n`);
}

/** What the supervisor notes about a process of its own, at the moment it is started. */
export interface RunRecord extends ProcessIdentity {
  name: string;
  /** The signal that ends it in order. */
  stopSignal: NodeJS.Signals;
}

export function readRun(dataDir: string, name: string): RunRecord | undefined {
  return readJson<RunRecord>(runFile(dataDir, name));
}

export function writeRun(dataDir: string, record: RunRecord): void {
  writeFileAtomically(runFile(dataDir, record.name), JSON.stringify(record));
}

export function removeRun(dataDir: string, name: string): void {
  rmSync(runFile(dataDir, name), { force: true });
}

/** Creates the data folder so that only its owner can look into it: it holds secrets and people. */
export function createDataFolder(dataDir: string): void {
  if (!existsSync(dataDir)) mkdirSync(dataDir, { recursive: true, mode: 0o700 });
  for (const name of ['log', 'run'])
    mkdirSync(join(dataDir, name), { recursive: true, mode: 0o700 });
}
