import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

/**
 * A process that can be told from a later one with the same number. A bare pid is not enough: after a crash or a reboot
 * the number may belong to somebody else, who must not be killed.
 */
export interface ProcessIdentity {
  pid: number;
  /** Opaque; changes whenever the pid is given to another process. */
  started: string;
}

/** The identity of a running process; null when there is none with that pid (a zombie counts as none). */
export function identify(pid: number): ProcessIdentity | null {
  if (process.platform === 'linux') {
    try {
      // Fields after the last ')' since the command's name may hold anything: 0 is the state, 19 the start in ticks.
      const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
      const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      if (fields[0] === 'Z' || fields[0] === 'X') return null;
      return { pid, started: `${bootId()} ${fields[19]}` };
    } catch {
      return null;
    }
  }
  const ps = spawnSync('ps', ['-o', 'stat=,lstart=', '-p', String(pid)], { encoding: 'utf8' });
  const line = ps.stdout?.trim() ?? '';
  if (ps.status !== 0 || line === '' || line.startsWith('Z')) return null;
  return { pid, started: line.slice(line.indexOf(' ')).trim() };
}

let boot: string | undefined;
function bootId(): string {
  boot ??= readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  return boot;
}

export function isAlive(identity: ProcessIdentity): boolean {
  return identify(identity.pid)?.started === identity.started;
}

/** Signals the process, and its group where it leads one; says whether it was still there. */
export function signalProcess(identity: ProcessIdentity, signal: NodeJS.Signals): boolean {
  if (!isAlive(identity)) return false;
  try {
    process.kill(identity.pid, signal);
    return true;
  } catch {
    return false;
  }
}

/** Waits until the process is gone; false when it still lives after `timeoutMs`. */
export async function waitUntilGone(
  identity: ProcessIdentity,
  timeoutMs: number,
): Promise<boolean> {
  const end = Date.now() + timeoutMs;
  while (isAlive(identity)) {
    if (Date.now() > end) return false;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return true;
}

/** Asks a process to end, and kills it if it has not after `graceMs`. Never touches another with the same pid. */
export async function endProcess(
  identity: ProcessIdentity,
  signal: NodeJS.Signals,
  graceMs: number,
): Promise<void> {
  if (!signalProcess(identity, signal)) return;
  if (await waitUntilGone(identity, graceMs)) return;
  signalProcess(identity, 'SIGKILL');
  await waitUntilGone(identity, 5_000);
}
