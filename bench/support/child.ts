import { spawn } from 'node:child_process';

/** Runs a command to its end and returns what it printed; rejects with its last words where it fails. */
export function runChild(
  command: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv = process.env,
): Promise<{ stdout: string; stderr: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { env, stdio: ['ignore', 'pipe', 'pipe'] });
    let stdout = '';
    let stderr = '';
    child.stdout.on('data', (chunk) => (stdout += String(chunk)));
    child.stderr.on('data', (chunk) => (stderr += String(chunk)));
    child.once('error', reject);
    child.once('close', (code) => {
      if (code === 0) return resolve({ stdout, stderr });
      reject(new Error(`${command} ended with ${code}: ${(stderr || stdout).trim().slice(-500)}`));
    });
  });
}

/** Runs one of our scripts in a Node process of its own; the last line that it prints is its result. */
export async function runScript<T>(script: string, args: readonly string[]): Promise<T> {
  const { stdout } = await runChild(process.execPath, [script, ...args]);
  return JSON.parse(stdout.trim().split('\n').at(-1)!) as T;
}
