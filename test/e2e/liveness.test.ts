/**
 * How nodes are lost, with real processes: killed, stopped, and cut off. Each ends in its state within its bound, as
 * `pincer nodes` and `pincer why` show it; the handlers’ own ledger says what was done, and that nothing was done twice.
 */
import { describe, expect, it } from 'vitest';
import { ask, LEDGER_MODULE, nodeIs, startWork } from '../support/ledger.ts';
import { Processes, startGateway, startNode } from '../support/processes.ts';
import { startProxy } from '../support/tcp-proxy.ts';

const bounds = { resumeWindowMs: 8_000, suspectAfterMs: 4_000, offlineAfterMs: 12_000 };
/** What a machine with other things to do may add to a bound. */
const SLACK_MS = 15_000;
const limits = Object.entries({ ...bounds, heartbeatMs: 500, removeAfterMs: 600_000 }).flatMap(([name, value]) => [
  '--limit',
  `${name}=${value}`,
]);

/** The milliseconds of silence that a reason names. */
function silenceIn(reason = ''): number {
  return Number(/silent for (\d+) ms/.exec(reason)?.[1]);
}

describe('a node that is killed', () => {
  it('is unhealthy while it may come back, then offline; its task runs on another', async () => {
    await using processes = new Processes();
    const { url } = await startGateway(processes, limits);
    const node = await startNode(processes, url, 'n1', [LEDGER_MODULE]);
    const work = await startWork(processes, url);
    node.kill('SIGKILL');

    expect(await nodeIs(url, 'n1', 'unhealthy')).toMatchObject({ reason: 'its link is closed', tasks: 1 });
    const waits = await work.why();
    expect(waits.summary).toBe('It runs on n1, attempt 1.');
    expect(waits.nodes).toMatchObject([{ nodeId: 'n1', fits: false, reason: 'is unhealthy: its link is closed' }]);

    expect(await nodeIs(url, 'n1', 'offline')).toMatchObject({ tasks: 0, running: [] });
    expect(await ask(processes, url, ['nodes', 'ls'])).toMatchObject({ items: [{ nodeId: 'n1', status: 'offline' }] });
    expect((await work.why()).nodes).toMatchObject([{ nodeId: 'n1', fits: false }]);

    await startNode(processes, url, 'n2', [LEDGER_MODULE]);
    await work.has('began 2');
    work.open();
    expect(await work.is('completed')).toMatchObject({ node: 'n2', attempts: 2, crashes: 1, failures: 0 });
    expect(work.lines()).toEqual(['began 1', 'began 2', 'ended 2']);
  });
});

describe('a node that is stopped', () => {
  it('falls silent: unhealthy, then offline; when it goes on it is told to drop what another has', async () => {
    await using processes = new Processes();
    const { url } = await startGateway(processes, limits);
    const node = await startNode(processes, url, 'n1', [LEDGER_MODULE]);
    const work = await startWork(processes, url);
    node.kill('SIGSTOP');

    const suspected = await nodeIs(url, 'n1', 'unhealthy');
    expect(silenceIn(suspected.reason)).toBeGreaterThanOrEqual(bounds.suspectAfterMs);
    expect(silenceIn(suspected.reason)).toBeLessThan(bounds.suspectAfterMs + SLACK_MS);
    expect((await work.why()).nodes[0]?.reason).toContain('is unhealthy: silent for');

    const lost = await nodeIs(url, 'n1', 'offline');
    expect(silenceIn(lost.reason)).toBeGreaterThanOrEqual(bounds.offlineAfterMs);
    expect(silenceIn(lost.reason)).toBeLessThan(bounds.offlineAfterMs + SLACK_MS);
    await startNode(processes, url, 'n2', [LEDGER_MODULE]);
    await work.has('began 2');

    node.kill('SIGCONT');
    await work.has('stopped 1');
    expect(await nodeIs(url, 'n1', 'online')).toMatchObject({ tasks: 0, running: [], overdue: [] });
    expect(await work.task()).toMatchObject({ status: 'running', node: 'n2', attempts: 2 });
    work.open();
    expect(await work.is('completed')).toMatchObject({ node: 'n2', attempts: 2, crashes: 1 });
    expect(work.lines()).toEqual(['began 1', 'began 2', 'stopped 1', 'ended 2']);
  });

  it('for less than that goes on with what it has, and nothing is done twice', async () => {
    await using processes = new Processes();
    const { url } = await startGateway(processes, limits);
    const node = await startNode(processes, url, 'n1', [LEDGER_MODULE]);
    const work = await startWork(processes, url);
    node.kill('SIGSTOP');
    await nodeIs(url, 'n1', 'unhealthy');
    node.kill('SIGCONT');
    expect(await nodeIs(url, 'n1', 'online')).toMatchObject({ tasks: 1 });
    work.open();
    expect(await work.is('completed')).toMatchObject({ node: 'n1', attempts: 1, crashes: 0 });
    expect(work.lines()).toEqual(['began 1', 'ended 1']);
  });
});

describe('a node that is cut off', () => {
  it('comes back over a new link within its window, with its work', async () => {
    await using processes = new Processes();
    const { url } = await startGateway(processes, limits);
    await using proxy = await startProxy(url);
    const node = await startNode(processes, proxy.url, 'n1', [LEDGER_MODULE, '--verbose']);
    const work = await startWork(processes, url);
    proxy.cut();
    await expect.poll(() => node.said()).toMatch(/"link.up".*"resumed":true/);
    expect(await nodeIs(url, 'n1', 'online')).toMatchObject({ tasks: 1 });
    work.open();
    expect(await work.is('completed')).toMatchObject({ node: 'n1', attempts: 1, crashes: 0 });
    expect(work.lines()).toEqual(['began 1', 'ended 1']);
  });

  it('for longer is lost, and told on its return to drop what it had', async () => {
    await using processes = new Processes();
    const { url } = await startGateway(processes, limits);
    await using proxy = await startProxy(url);
    await startNode(processes, proxy.url, 'n1', [LEDGER_MODULE]);
    const work = await startWork(processes, url);
    proxy.isPassing = false;
    proxy.cut();
    expect(await nodeIs(url, 'n1', 'unhealthy')).toMatchObject({ reason: 'its link is closed' });
    await nodeIs(url, 'n1', 'offline');
    // It does not know, and works on: nobody can tell it to stop.
    expect(work.lines()).toEqual(['began 1']);
    proxy.isPassing = true;
    await work.has('stopped 1');
    await work.has('began 2');
    work.open();
    expect(await work.is('completed')).toMatchObject({ node: 'n1', attempts: 2, crashes: 1 });
    expect(work.lines().filter((line) => line.startsWith('ended'))).toEqual(['ended 2']);
  });
});
