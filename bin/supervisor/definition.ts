import type { Config } from '../config.ts';
import type { PortName } from './ports.ts';

/** The parts of a stack, in the order in which they are listed. */
export const PROCESS_NAMES = [
  'temporal',
  'postgres',
  'warehouse',
  'inbox',
  'worker',
  'sender',
  'server',
] as const;
export type ProcessName = (typeof PROCESS_NAMES)[number];

/** These need tables, the namespace and the warehouse: they are started last and ended first. */
export function isLast(name: string): boolean {
  return name === 'worker' || name === 'sender' || name === 'server';
}

export interface Command {
  file: string;
  args: readonly string[];
  cwd?: string;
  env: NodeJS.ProcessEnv;
  uid?: number;
  gid?: number;
}

/** What the supervisor must know about a process to start it, to see it ready, and to end it. */
export interface ProcessDefinition {
  name: ProcessName;
  /** As a newcomer reads it. */
  title: string;
  /** The ports that it listens on. */
  ports: readonly PortName[];
  /** Where it is reached, for the line that says so. */
  address(config: Config): string;
  /** False where the configuration names one that somebody else runs. */
  isOurs(config: Config): boolean;
  /** What to run; may prepare folders first. Called again before each restart. */
  command(config: Config): Promise<Command>;
  /**
   * Whether it works now; asked again and again, at each start, until it says yes. May also prepare what the others
   * need of it. Absent: its own `{"ready":true}` line says so.
   */
  probe?(config: Config): Promise<boolean>;
  /** What a crash may leave behind beside the process in the run file; called before the first start. */
  endOrphans?(dataDir: string): Promise<void>;
  /** What helps when it does not start, as one sentence. */
  hint(config: Config): string;
  stopSignal: NodeJS.Signals;
  /** Killed when it has not ended by then. */
  stopTimeoutMs: number;
}
