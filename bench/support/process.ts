import { readFileSync } from 'node:fs';

/** What the kernel has counted for a process and its threads so far; null where there is no `/proc`. */
export interface ProcessUsage {
  readonly cpuMicros: number;
  /** Peak resident memory since it began, or since `resetPeak`. */
  readonly peakMiB: number;
}

/** `/proc` counts in ticks of 10 ms on every Linux that is in use: measure seconds, not milliseconds. */
const TICK_MICROS = 10_000;

export function processUsage(pid: number): ProcessUsage | null {
  try {
    // The name in parentheses may hold spaces: count the fields behind it.
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const status = readFileSync(`/proc/${pid}/status`, 'utf8');
    return {
      cpuMicros: (Number(fields[11]) + Number(fields[12])) * TICK_MICROS,
      peakMiB: Number(/^VmHWM:\s+(\d+) kB/m.exec(status)?.[1] ?? 0) / 1_024,
    };
  } catch {
    return null;
  }
}
