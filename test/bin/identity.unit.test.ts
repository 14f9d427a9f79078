import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { afterEach, expect, it } from 'vitest';
import { endProcess, identify, isAlive, waitUntilGone } from '../../bin/supervisor/identity.ts';

const children: ReturnType<typeof spawn>[] = [];
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
});

async function sleeper(script = 'setInterval(() => {}, 1000)') {
  const child = spawn(process.execPath, ['-e', `${script}; console.log('up')`]);
  children.push(child);
  await once(child.stdout, 'data');
  const identity = identify(child.pid ?? 0);
  if (!identity) throw new Error('the child has no identity');
  return { child, identity };
}

it('ends a process that is the one it was', async () => {
  const { identity } = await sleeper();
  await endProcess(identity, 'SIGTERM', 5_000);
  expect(isAlive(identity)).toBe(false);
});

it('kills one that does not end in time', async () => {
  const { child, identity } = await sleeper(
    "process.on('SIGTERM', () => {}); setInterval(() => {}, 1000)",
  );
  const ended = once(child, 'exit');
  await endProcess(identity, 'SIGTERM', 100);
  expect(await ended).toEqual([null, 'SIGKILL']);
});

it('leaves a process alone that has the pid of an earlier one', async () => {
  const { identity } = await sleeper();
  await endProcess({ pid: identity.pid, started: 'some boot 1' }, 'SIGKILL', 100);
  expect(isAlive(identity)).toBe(true);
});

it('says whether a process was gone in time', async () => {
  const { child, identity } = await sleeper();
  expect(await waitUntilGone(identity, 50)).toBe(false);
  child.kill('SIGKILL');
  expect(await waitUntilGone(identity, 5_000)).toBe(true);
  expect(identify(identity.pid)).toBeNull();
});
