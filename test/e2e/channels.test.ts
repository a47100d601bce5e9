/** Channels as operators run them: processes of their own, real requests, and `kill -9` of each part in turn. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { scratchDirectory } from '../handlers/tool-runner.ts';
import { Processes, type Running, startGateway } from '../support/processes.ts';
import { BOT_TOKEN, startTelegram } from '../support/telegram.ts';
import { eventsOf, OTHER_SECRET, post, SECRET, startReceiver } from '../support/webhooks.ts';

const fixture = (name: string): string => fileURLToPath(new URL(`../fixtures/channels/${name}`, import.meta.url));
/** What a machine with other things to do may add to a bound. */
const SLACK_MS = 20_000;

interface Line {
  readonly event: string;
  readonly state?: string;
  readonly url?: string | null;
  readonly counters?: Record<string, number>;
}

/** A folder with a secret, and the processes of one cluster. */
function aCluster(url: string, processes: Processes, folder: string) {
  const secretFile = path.join(folder, 'secret');
  const log = path.join(folder, 'turns.jsonl');
  writeFileSync(secretFile, `${SECRET}\n`);
  return {
    async channel(id: string, ...args: string[]) {
      const process = processes.start([
        ...['channel', 'webhook', '--join', url, '--id', id, '--listen', '127.0.0.1:0', '--json'],
        ...['--secret-file', secretFile, '--allow-loopback-callbacks', ...args],
      ]);
      const ready = (await process.ready()) as unknown as Line;
      return { process, ready, url: `${ready.url}/`, lines: () => linesOf(process) };
    },
    async agent(id: string, env: Record<string, string> = {}) {
      const args = ['node', fixture('turns.mjs'), '--join', url, '--id', id, '--capabilities', 'llm', '--json'];
      const process = processes.start(args, { env: { TURNS_LOG: log, ...env } });
      await process.ready();
      return process;
    },
    turns: () =>
      (existsSync(log) ? readFileSync(log, 'utf8') : '')
        .split('\n')
        .filter(Boolean)
        .map((line) => JSON.parse(line) as { attempt: number; text: string }),
  };
}

function linesOf({ lines }: Running): Line[] {
  return lines.map((line) => JSON.parse(line) as Line);
}

async function endsWell({ process }: { process: Running }): Promise<Record<string, number>> {
  process.kill('SIGTERM');
  const { code, stderr } = await process.ended;
  expect([code, stderr]).toEqual([0, '']);
  const last = linesOf(process).at(-1);
  expect(last?.event).toBe('stopped');
  return last?.counters ?? {};
}

describe('pincer channel webhook', () => {
  it('streams a turn, and sends its reply once, though the agent is killed half-way', async () => {
    const folder = scratchDirectory();
    await using processes = new Processes();
    await using receiver = await startReceiver();
    const gateway = await startGateway(processes);
    const cluster = aCluster(gateway.url, processes, folder);
    const doomed = await cluster.agent('doomed', { HANGS: '1' });
    const channel = await cluster.channel('hook');
    expect(channel.ready).toMatchObject({ event: 'ready', channel: 'webhook', nodeId: 'hook', state: 'open' });

    const answer = await post(
      channel.url,
      'msg_1',
      { text: 'hello', callback: receiver.url },
      { headers: { accept: 'text/event-stream' } },
    );
    const seen: { event: string; data: unknown }[] = [];
    const over = (async () => {
      for await (const one of eventsOf(answer)) seen.push(one);
    })();
    await expect.poll(() => seen.filter(({ event }) => event === 'progress').length).toBeGreaterThan(0);
    doomed.kill('SIGKILL');
    await cluster.agent('second');
    await over;
    expect(seen.at(-1)).toMatchObject({ event: 'reply', data: { status: 'completed', text: 'hello: done' } });
    await expect.poll(() => receiver.received.length).toBe(1);
    // The same request once more, signed anew, as its sender would after an answer that got lost.
    const again = await post(
      channel.url,
      'msg_1',
      { text: 'hello', callback: receiver.url },
      { at: new Date(Date.now() + 1_000) },
    );
    expect(again.status).toBe(202);
    const counters = await endsWell(channel);
    expect(counters).toMatchObject({ delivered: 1, dead: 0 });
    const { taskId } = (seen[0]?.data ?? {}) as { taskId?: string };
    expect(receiver.asked).toEqual([`${taskId}-reply`]);
    expect(receiver.received[0]?.body).toMatchObject({ messageId: 'msg_1', status: 'completed', text: 'hello: done' });
    expect(cluster.turns().map(({ attempt }) => attempt)).toEqual([1, 2]);
  });

  it('refuses what is forged, replayed, stale or too large, each with its code, and runs none of it', async () => {
    const folder = scratchDirectory();
    await using processes = new Processes();
    const { url } = await startGateway(processes);
    const cluster = aCluster(url, processes, folder);
    await cluster.agent('agent');
    const channel = await cluster.channel('hook');
    const at = new Date();
    expect((await post(channel.url, 'good', { text: 'good' }, { at })).status).toBe(200);
    const bad: [Promise<Response>, number, string][] = [
      [fetch(channel.url, { method: 'POST', body: '{"text":"a"}' }), 401, 'SIGNATURE_INVALID'],
      [post(channel.url, 'b', { text: 'a' }, { secret: OTHER_SECRET }), 401, 'SIGNATURE_INVALID'],
      [post(channel.url, 'good', { text: 'good' }, { at }), 409, 'SIGNATURE_REPLAYED'],
      [post(channel.url, 'c', { text: 'a' }, { at: new Date(Date.now() - 301_000) }), 401, 'SIGNATURE_STALE'],
      [post(channel.url, 'd', { text: 'a', data: 'x'.repeat(300_000) }), 413, 'PAYLOAD_TOO_LARGE'],
      [post(channel.url, 'e', { txet: 'a' }), 400, 'PAYLOAD_INVALID'],
      [post(channel.url, 'f', { text: 'a', callback: 'https://169.254.169.254/' }), 400, 'ADDRESS_REFUSED'],
    ];
    for (const [answer, status, code] of bad) {
      const refused = await answer;
      expect([refused.status, ((await refused.json()) as { code: string }).code]).toEqual([status, code]);
    }
    expect(await endsWell(channel)).toMatchObject({ received: 1, refused: bad.length });
    expect(cluster.turns()).toHaveLength(1);
  });

  it('has one holder: another instance takes over within its bound after kill -9, and sends the reply', async () => {
    const folder = scratchDirectory();
    await using processes = new Processes();
    await using receiver = await startReceiver();
    const { url } = await startGateway(processes);
    const cluster = aCluster(url, processes, folder);
    const leaseMs = 6_000;
    const first = await cluster.channel('first', '--lease', `${leaseMs}`);
    const second = await cluster.channel('second', '--lease', `${leaseMs}`);
    expect([first.ready.state, second.ready.state, second.ready.url]).toEqual(['open', 'standby', null]);
    const answer = await post(first.url, 'msg_1', { text: 'hello', callback: receiver.url });
    expect(answer.status).toBe(202);
    const killedAt = performance.now();
    first.process.kill('SIGKILL');
    await expect.poll(() => second.lines().at(-1)?.state).toBe('open');
    expect(performance.now() - killedAt).toBeLessThan(leaseMs * (1 + 1.1 / 3) + SLACK_MS);
    await cluster.agent('agent');
    await expect.poll(() => receiver.received.length).toBe(1);
    expect(receiver.received[0]?.body).toMatchObject({ messageId: 'msg_1', text: 'hello: done' });
    const held = await post(`${second.lines().at(-1)?.url}/`, 'msg_2', { text: 'again' });
    expect(await held.json()).toMatchObject({ text: 'again: done' });
    await endsWell(second);
    expect(receiver.asked).toHaveLength(1);
  });

  it('sends the reply though the gateway was killed, with all it knew, while the turn ran', async () => {
    const folder = scratchDirectory();
    await using processes = new Processes();
    await using receiver = await startReceiver();
    const gateway = await startGateway(processes);
    const cluster = aCluster(gateway.url, processes, folder);
    const channel = await cluster.channel('hook');
    expect((await post(channel.url, 'msg_1', { text: 'hello', callback: receiver.url })).status).toBe(202);
    gateway.process.kill('SIGKILL');
    await gateway.process.ended;
    const again = processes.start(['gateway', '--listen', new URL(gateway.url).host, '--json']);
    await again.ready();
    await cluster.agent('agent');
    await expect.poll(() => receiver.received.length).toBe(1);
    await endsWell(channel);
    expect(receiver.asked).toHaveLength(1);
    expect(cluster.turns()).toHaveLength(1);
  });

  it('sends the reply though gateway and channel were both killed, where tasks are kept on disk', async () => {
    const folder = scratchDirectory();
    await using processes = new Processes();
    await using receiver = await startReceiver();
    const store = ['--store', path.join(folder, 'store')];
    const gateway = await startGateway(processes, store);
    const cluster = aCluster(gateway.url, processes, folder);
    const first = await cluster.channel('hook', '--lease', '5s');
    expect((await post(first.url, 'msg_1', { text: 'hello', callback: receiver.url })).status).toBe(202);
    gateway.process.kill('SIGKILL');
    first.process.kill('SIGKILL');
    await Promise.all([gateway.process.ended, first.process.ended]);
    const again = processes.start(['gateway', '--listen', new URL(gateway.url).host, '--json', ...store]);
    await again.ready();
    await cluster.agent('agent');
    const second = await cluster.channel('hook', '--lease', '5s');
    await expect.poll(() => receiver.received.length).toBe(1);
    expect(receiver.received[0]?.body).toMatchObject({ messageId: 'msg_1', text: 'hello: done' });
    await endsWell(second);
    expect(receiver.asked).toHaveLength(1);
    expect(cluster.turns()).toHaveLength(1);
  });

  it.each([
    ['a secret file that is not there', ['--secret-file', 'nowhere'], 'OPTION_INVALID'],
    ['both a topic and a type', ['--topic', 'inbox', '--type', 'x'], 'OPTION_INVALID'],
  ])('is refused with %s, in one line', async (_, args, code) => {
    const folder = scratchDirectory();
    await using processes = new Processes();
    const secretFile = path.join(folder, 'secret');
    writeFileSync(secretFile, SECRET);
    const ended = await processes.run(['channel', 'webhook', '--secret-file', secretFile, ...args, '--json']);
    expect(ended.code).toBe(2);
    expect(JSON.parse(ended.stderr)).toMatchObject({ error: { code } });
  });
});

describe('pincer channel telegram', () => {
  it('answers those who are let in, and leaves in order', async () => {
    const folder = scratchDirectory();
    await using processes = new Processes();
    await using telegram = await startTelegram();
    const { url } = await startGateway(processes);
    await aCluster(url, processes, folder).agent('agent');
    const tokenFile = path.join(folder, 'token');
    writeFileSync(tokenFile, `${BOT_TOKEN}\n`);
    const bot = processes.start([
      ...['channel', 'telegram', '--join', url, '--bot-token-file', tokenFile],
      ...['--api-root', telegram.apiRoot, '--allow', '5,-7', '--json'],
    ]);
    expect(await bot.ready()).toMatchObject({ channel: 'telegram-123456', state: 'open', url: null });
    await telegram.say('hi', { chat: 6 });
    await telegram.say('hello', { chat: -7 });
    await expect.poll(() => telegram.texts()).toEqual(['hello: done']);
    expect(await endsWell({ process: bot })).toMatchObject({ received: 1, refused: 1 });
  });

  it('says in one line which package it needs, where that is not installed, though no gateway answers', async () => {
    const folder = scratchDirectory();
    await using processes = new Processes();
    const url = 'ws://127.0.0.1:1';
    const tokenFile = path.join(folder, 'token');
    writeFileSync(tokenFile, BOT_TOKEN);
    const args = ['channel', 'telegram', '--join', url, '--bot-token-file', tokenFile, '--allow-anyone', '--quiet'];
    const { code, stderr } = await processes.run(args, {
      env: { NODE_OPTIONS: `--import ${fixture('without-grammy.mjs')}` },
    });
    expect(code).toBe(2);
    expect(stderr.trim().split('\n').slice(0, 2)).toEqual([
      'error the telegram channel needs the package grammy (PACKAGE_MISSING)',
      '→ npm install grammy@1.46.0',
    ]);
  });
});
