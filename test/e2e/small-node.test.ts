/** The small node of docs/protocol.md, run as it stands there: a process that has nothing of Pincer’s, against a real gateway. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { type Client, createClient } from '../../src/actors/client/client.ts';
import { createGateway } from '../../src/actors/gateway/gateway.ts';
import type { Gateway } from '../../src/actors/gateway/gateway-options.ts';

const page = readFileSync(new URL('../../docs/protocol.md', import.meta.url), 'utf8');
const published = /## A whole node\n[\s\S]*?```js\n([\s\S]*?)```/.exec(page)?.[1] ?? '';
/** Handlers that this test needs, beside the page’s own. */
const handlers = `{
  shout: async (text) => text.toUpperCase(),
  fail: async () => { throw new Error('no such luck'); },
  wait: (_, signal) => new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(new Error('told to')))),
  ignore: () => new Promise((resolve) => setTimeout(resolve, 1500)),
}`;
const program = published
  .replace(/const handlers = .*;/, `const handlers = ${handlers};`)
  .replace('const GRACE_MS = 5000;', 'const GRACE_MS = 200;');

let gateway: Gateway;
let client: Client;
let node: ChildProcess;

beforeAll(async () => {
  gateway = await createGateway({ token: 'sesame', limits: { resumeWindowMs: 2_000, heartbeatMs: 200 } });
  client = createClient({ url: gateway.url, token: 'sesame' });
  node = start('small');
  await vi.waitFor(async () => expect(await client.node('small')).toMatchObject({ status: 'online' }), 10_000);
});

afterAll(async () => {
  node.kill('SIGKILL');
  await client.stop();
  await gateway.stop();
});

function start(nodeId: string): ChildProcess {
  return spawn(process.execPath, ['--input-type=module', '--eval', program, gateway.url, nodeId], {
    env: { ...process.env, PINCER_TOKEN: 'sesame' },
    stdio: ['ignore', 'inherit', 'inherit'],
  });
}

describe('the node in docs/protocol.md', () => {
  it('is a program of which this test changes only what it can do', () => {
    expect(published.split('\n').length).toBeGreaterThan(60);
    expect(program).toContain('ignore: ()');
    expect(program).toContain('GRACE_MS = 200');
  });

  it('runs tasks, and gives back their results and failures', async () => {
    const shouts = ['one', 'two', 'three', 'four'].map((word) => client.submit('shout', word));
    expect(await Promise.all(shouts.map((shout) => shout.result()))).toEqual(['ONE', 'TWO', 'THREE', 'FOUR']);
    const failed = await client.submit('fail', null, { attempts: 1 }).outcome();
    expect(failed).toMatchObject({
      status: 'failed',
      error: { code: 'HANDLER_FAILED', message: 'Error: no such luck' },
    });
  });

  it('stops what is cancelled, and what takes too long, and each is called what it is (#5)', async () => {
    const waiting = client.submit('wait');
    await expect.poll(async () => (await client.node('small')).tasks).toBe(1);
    await waiting.cancel();
    expect(await waiting.outcome()).toMatchObject({ status: 'cancelled' });
    const late = await client.submit('wait', null, { timeoutMs: 50, attempts: 1 }).outcome();
    expect(late).toMatchObject({ status: 'failed', error: { code: 'TASK_TIMED_OUT' } });
    expect(await client.node('small')).toMatchObject({ tasks: 0, overdue: [] });
  });

  it('keeps the slot of work that does not stop, and frees it when the work has ended', async () => {
    const late = await client.submit('ignore', null, { timeoutMs: 50, attempts: 1 }).outcome();
    expect(late).toMatchObject({ status: 'failed', error: { code: 'TASK_TIMED_OUT' } });
    expect(await client.node('small')).toMatchObject({ tasks: 1, overdue: [{ taskId: late.taskId, attempt: 1 }] });
    await expect.poll(async () => (await client.node('small')).tasks).toBe(0);
  });

  it('stays online by its heartbeats, and gives way to another process of its name', async () => {
    const heir = start('small');
    const [code] = (await once(node, 'exit')) as [number];
    expect(code).toBe(1);
    node = heir;
    expect(await client.submit('shout', 'again')).toBe('AGAIN');
  });
});
