/**
 * Discovery between real processes: two that find each other over loopback multicast, and a registry that is killed and
 * started again under load.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { seededRandom } from '../../src/actors/world/seeded-random.ts';
import { type Discovery, type DiscoveryNews, discover, mdnsNodes, registryNodes } from '../../src/discovery.ts';
import { explainMissingMulticast, hasMulticast } from '../support/dns.ts';
import { Processes, type Running } from '../support/processes.ts';
import { API_KEY, aRegistration, askerOf } from '../support/registry.ts';

const PORT = 33_000 + (process.pid % 9_000);
const KILLS = 12;

const processes = new Processes();
const children: ChildProcess[] = [];
const discoveries: Discovery[] = [];
const folders: string[] = [];
afterEach(async () => {
  for (const discovery of discoveries.splice(0)) await discovery.stop();
  for (const child of children.splice(0)) child.kill('SIGKILL');
  await processes[Symbol.asyncDispose]();
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

describe('two processes on one machine', () => {
  it('find each other over multicast, and notice when one leaves', async () => {
    const isPossible = await hasMulticast(PORT);
    explainMissingMulticast(isPossible);
    if (!isPossible) return;

    const seen: string[] = [];
    const self = { nodeId: 'looker', type: 'gateway', address: '127.0.0.1:7000', capabilities: [] } as const;
    const onNews = (news: DiscoveryNews): void => {
      if (news.type !== 'state') seen.push(`${news.type} ${news.candidate.nodeId} ${news.candidate.address}`);
    };
    discoveries.push(discover(mdnsNodes({ port: PORT }), { self, onNews }));
    const others = ['gateway.one', 'gateway-2'].map((nodeId, n) => announcer(nodeId, 7_443 + n));
    await expect.poll(() => [...seen].sort()).toEqual(['up gateway-2 127.0.0.1:7444', 'up gateway.one 127.0.0.1:7443']);
    // The other process hears this one too.
    await expect.poll(() => others[0]?.heard()).toContain('looker@127.0.0.1:7000');

    // Nothing of it holds the process: it ends by itself once it has said goodbye.
    expect(await others[0]?.leave()).toBe(0);
    await expect.poll(() => seen.at(-1)).toBe('down gateway.one 127.0.0.1:7443');
    expect(seen).toHaveLength(3);
  });
});

describe('a registry that is killed under load', () => {
  it(`loses no lease that it acknowledged, over ${KILLS} kills`, async () => {
    const seed = Date.now() % 1_000_000;
    console.log(`seed ${seed}`);
    const random = seededRandom(seed);
    const folder = mkdtempSync(join(tmpdir(), 'pincer-registry-'));
    folders.push(folder);
    const keyFile = join(folder, 'key');
    writeFileSync(keyFile, `${API_KEY}\n`);
    const serve = (listen: string): Running =>
      processes.start([
        'registry',
        '--listen',
        listen,
        '--api-key-file',
        keyFile,
        '--data',
        join(folder, 'data'),
        '--ttl',
        '1h',
        '--json',
      ]);

    let server = serve('127.0.0.1:0');
    const url = String((await server.ready())['url']);
    const ask = askerOf(url);
    const discovery = discover(registryNodes(url, { apiKey: API_KEY }), {
      limits: { discoveryRefreshMs: 50, discoveryRetryMinMs: 20, discoveryRetryMaxMs: 50 },
    });
    discoveries.push(discovery);

    const writers = Array.from({ length: 60 }, (_, n) => aWriter(`node-${n}`, ask, random));
    let acknowledged = 0;
    for (let kills = 0; kills < KILLS; kills += 1) {
      let isKilled = false;
      const working = writers.map(async (writer) => {
        // What got no answer may hold or not; anything asked on top of it would make that a guess among three.
        while (!isKilled && (await writer.write())) acknowledged += 1;
      });
      // By what was acknowledged, not by the clock: on a busy machine a time may pass in which nothing was.
      const wanted = acknowledged + 20 + Math.floor(random() * 200);
      await expect.poll(() => acknowledged, { interval: 1 }).toBeGreaterThan(wanted);
      server.kill('SIGKILL');
      await server.ended;
      isKilled = true;
      await Promise.all(working);

      server = serve(new URL(url).host);
      await server.ready();
      const lost = (await Promise.all(writers.map((writer) => writer.lost()))).filter((found) => found !== null);
      expect(lost, `seed ${seed}, after kill ${kills + 1}`).toEqual([]);
    }
    console.log(`${acknowledged} acknowledged changes, ${KILLS} kills, nothing lost`);
    // With its reason: a source that stays degraded should say why.
    await expect.poll(() => [discovery.state, discovery.reason?.message]).toEqual(['watching', undefined]);
    const held = writers.filter(({ isHeld }) => isHeld).length;
    await expect.poll(() => discovery.candidates.length).toBe(held);
    server.kill('SIGTERM');
    expect((await server.ended).code).toBe(0);
  });
});

/** One node that registers and deregisters, one request at a time, and knows what the answers mean. */
function aWriter(id: string, ask: ReturnType<typeof askerOf>, random: () => number) {
  /** The lease that was acknowledged last, or null after an acknowledged end. */
  let lease: string | null = null;
  /** What was asked and never answered: it may hold or not. */
  let unanswered: 'put' | 'drop' | null = null;
  return {
    get isHeld() {
      return lease !== null;
    },
    /** Whether it was acknowledged. */
    async write(): Promise<boolean> {
      const isDrop = lease !== null && random() < 0.2;
      unanswered = isDrop ? 'drop' : 'put';
      try {
        const answer = isDrop ? await ask('DELETE', `/nodes/${id}`) : await ask('POST', '/nodes', aRegistration(id));
        if (answer.status !== (isDrop ? 204 : 201)) throw new Error(`${answer.status}`);
        lease = isDrop ? null : String(answer.json.lease);
        unanswered = null;
        return true;
      } catch {
        return false;
      }
    },
    /** What is wrong with what the registry says now, or null; afterwards everything is known again. */
    async lost(): Promise<string | null> {
      const { status } = await ask('POST', `/nodes/${id}/heartbeat${lease === null ? '' : `?lease=${lease}`}`);
      const expected = lease === null ? 404 : 200;
      const alsoRight = unanswered === 'drop' ? 404 : unanswered === 'put' ? (lease === null ? 200 : 409) : expected;
      const isRight = status === expected || status === alsoRight;
      const asked = unanswered;
      if (status === 404) lease = null;
      else lease = String((await ask('POST', '/nodes', aRegistration(id))).json.lease);
      unanswered = null;
      return isRight ? null : `${id}: expected ${expected} or ${alsoRight} (${asked}), got ${status}`;
    },
  };
}

/** A process that announces a gateway, says whom it hears, and takes leave with SIGTERM. */
function announcer(nodeId: string, port: number) {
  const door = new URL('../../dist/discovery.js', import.meta.url).href;
  const self = { nodeId, type: 'gateway', address: `127.0.0.1:${port}`, capabilities: [] };
  const script = `
    import { discover, mdnsNodes } from ${JSON.stringify(door)};
    const discovery = discover(mdnsNodes({ port: ${PORT} }), {
      self: ${JSON.stringify(self)},
      onNews: (news) => {
        if (news.type !== 'state') console.log(news.candidate.nodeId + '@' + news.candidate.address);
      },
    });
    process.once('SIGTERM', () => discovery.stop());
  `;
  const child = spawn(process.execPath, ['--input-type=module', '--eval', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  children.push(child);
  let heard = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    heard += text;
  });
  return {
    heard: () => heard,
    /** Resolves with the exit code. */
    leave: () =>
      new Promise<number | null>((resolve) => {
        child.once('close', resolve);
        child.kill('SIGTERM');
      }),
  };
}
