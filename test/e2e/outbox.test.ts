/** Nodes that are killed with results that no gateway has acknowledged: real processes, real disks, kill -9. */
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { createClient } from '../../src/client.ts';
import { scratchDirectory } from '../handlers/tool-runner.ts';
import { LEDGER_MODULE, startWork, type Work } from '../support/ledger.ts';
import { Processes, type Running, startGateway } from '../support/processes.ts';
import { startProxy } from '../support/tcp-proxy.ts';

const EMPTY = 'pincer-outbox 1\n';

interface Place {
  readonly processes: Processes;
  readonly directory: string;
  readonly outbox: string;
  /** What is in the outbox now. */
  kept(): string;
  /** A node that keeps its results; resolves when it has joined. */
  node(url: string, id?: string): Promise<Running>;
}

function place(processes: Processes): Place {
  const directory = scratchDirectory();
  const outbox = path.join(directory, 'outbox');
  return {
    processes,
    directory,
    outbox,
    kept: () => readFileSync(path.join(outbox, 'results.log'), 'utf8'),
    async node(url, id = 'n1') {
      const args = ['node', LEDGER_MODULE, '--join', url, '--id', id, '--outbox', outbox, '--json'];
      const node = processes.start(args);
      await node.ready();
      return node;
    },
  };
}

/** A gateway whose tasks outlive it, and which waits for nodes and gateways longer than any machine is slow. */
function patientGateway({ processes, directory }: Place, listen = '127.0.0.1:0') {
  const store = path.join(directory, 'store');
  const limits = ['leaseMs', 'resumeWindowMs', 'suspectAfterMs', 'offlineAfterMs'];
  const args = ['--store', store, '--listen', listen, ...limits.flatMap((name) => ['--limit', `${name}=600000`])];
  return startGateway(processes, args);
}

/** Lets the work end, and resolves when its result is on the disk. */
async function endUnheard(work: Work, { kept }: Place, attempt = 1): Promise<void> {
  work.open();
  await work.has(`ended ${attempt}`);
  await expect.poll(kept).toMatch(/ \+ /);
}

async function counters(url: string): Promise<Readonly<Record<string, number>>> {
  await using client = createClient({ url });
  return (await client.stats()).counters;
}

async function resultOf(url: string, taskId: string): Promise<unknown> {
  await using client = createClient({ url });
  return await client.follow(taskId).outcome();
}

describe('a node with an outbox that is killed before its result is acknowledged', () => {
  it('and its gateway as well: when both are back nothing is run again, and the result is there', async () => {
    await using processes = new Processes();
    const here = place(processes);
    const gateway = await patientGateway(here);
    const node = await here.node(gateway.url);
    const work = await startWork(processes, gateway.url);
    gateway.process.kill('SIGKILL');
    await gateway.process.ended;
    await endUnheard(work, here);
    node.kill('SIGKILL');
    await node.ended;

    const again = await patientGateway(here, new URL(gateway.url).host);
    await here.node(again.url);
    expect(await resultOf(again.url, work.taskId)).toMatchObject({ status: 'completed', result: 1, attempts: 1 });
    expect(work.lines()).toEqual(['began 1', 'ended 1']);
    await expect.poll(here.kept).toBe(EMPTY);
  });

  it('and its gateway was frozen meanwhile: whether it had got the result or not, it has it once', async () => {
    await using processes = new Processes();
    const here = place(processes);
    const gateway = await patientGateway(here);
    const node = await here.node(gateway.url);
    const work = await startWork(processes, gateway.url);
    gateway.process.kill('SIGSTOP');
    await endUnheard(work, here);
    node.kill('SIGKILL');
    await node.ended;
    gateway.process.kill('SIGCONT');

    await here.node(gateway.url);
    expect(await resultOf(gateway.url, work.taskId)).toMatchObject({ status: 'completed', result: 1, attempts: 1 });
    expect(work.lines()).toEqual(['began 1', 'ended 1']);
    await expect.poll(here.kept).toBe(EMPTY);
  });

  it('and is back before it is missed for good: nothing is run again', async () => {
    await using processes = new Processes();
    const here = place(processes);
    const gateway = await patientGateway(here);
    await using proxy = await startProxy(gateway.url);
    const node = await here.node(proxy.url);
    const work = await startWork(processes, gateway.url);
    proxy.mute();
    await endUnheard(work, here);
    node.kill('SIGKILL');
    await node.ended;

    await here.node(gateway.url);
    expect(await resultOf(gateway.url, work.taskId)).toMatchObject({ status: 'completed', result: 1, attempts: 1 });
    expect(work.lines()).toEqual(['began 1', 'ended 1']);
    await expect.poll(here.kept).toBe(EMPTY);
  });

  it('and that had arrived, but its acknowledgement had not: the result is taken once', async () => {
    await using processes = new Processes();
    const here = place(processes);
    const gateway = await patientGateway(here);
    await using proxy = await startProxy(gateway.url);
    const node = await here.node(proxy.url);
    const work = await startWork(processes, gateway.url);
    proxy.stall();
    work.open();
    expect(await resultOf(gateway.url, work.taskId)).toMatchObject({ status: 'completed', result: 1, attempts: 1 });
    await expect.poll(here.kept).toMatch(/ \+ /);
    node.kill('SIGKILL');
    await node.ended;

    await here.node(gateway.url);
    await expect.poll(here.kept).toBe(EMPTY);
    expect(work.lines()).toEqual(['began 1', 'ended 1']);
    const { resultsDuplicate, resultsStale } = await counters(gateway.url);
    expect([resultsDuplicate, resultsStale]).toEqual([1, 0]);
  });

  it('and is back too late: another node has run it, and what it kept is dropped as stale', async () => {
    await using processes = new Processes();
    const here = place(processes);
    const gateway = await startGateway(processes, ['--store', path.join(here.directory, 'store')]);
    await using proxy = await startProxy(gateway.url);
    const node = await here.node(proxy.url);
    const work = await startWork(processes, gateway.url);
    await work.is('running');
    proxy.mute();
    await endUnheard(work, here);
    node.kill('SIGKILL');
    await node.ended;
    proxy.cut();

    const other = processes.start(['node', LEDGER_MODULE, '--join', gateway.url, '--id', 'n2', '--json']);
    await other.ready();
    expect(await resultOf(gateway.url, work.taskId)).toMatchObject({ status: 'completed', result: 2, attempts: 2 });
    await here.node(gateway.url);
    await expect.poll(here.kept).toBe(EMPTY);
    expect(work.lines()).toEqual(['began 1', 'ended 1', 'began 2', 'ended 2']);
    expect((await counters(gateway.url))['resultsStale']).toBe(1);
  });
});

describe('pincer node --outbox', () => {
  it('refuses a directory that another node has, by name, and leaves that one alone', async () => {
    await using processes = new Processes();
    const here = place(processes);
    const gateway = await startGateway(processes);
    await here.node(gateway.url);
    const args = ['node', LEDGER_MODULE, '--join', gateway.url, '--id', 'n1', '--outbox', here.outbox];
    const second = await processes.run(args);
    expect(second.code).toBe(9);
    expect(second.stderr).toContain(`another process has the outbox in ${here.outbox} open`);
    const work = await startWork(processes, gateway.url);
    work.open();
    expect(await work.is('completed')).toMatchObject({ node: 'n1' });
  });

  it('refuses what is no directory, and a node without an id, before it joins', async () => {
    await using processes = new Processes();
    const here = place(processes);
    writeFileSync(here.outbox, 'a file');
    const args = ['node', LEDGER_MODULE, '--join', 'ws://127.0.0.1:1', '--outbox', here.outbox];
    const file = await processes.run([...args, '--id', 'n1']);
    expect(file.code).toBe(1);
    expect(file.stderr).toContain(`${here.outbox} cannot be used`);
    expect(file.stderr).toContain('`--outbox DIR`');
    const nameless = await processes.run(args);
    expect(nameless.code).toBe(2);
    expect(nameless.stderr).toContain('--outbox needs --id');
  });
});
