/** Gateways that nobody names: announced by one process and found by another, over loopback multicast and by a registry. */
import { writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { scratchDirectory } from '../handlers/tool-runner.ts';
import { advertOf, explainMissingMulticast, hasMulticast, openForger, responseOf } from '../support/dns.ts';
import { Processes, type Running, startGateway } from '../support/processes.ts';
import { API_KEY } from '../support/registry.ts';

/** A network of its own for each test: the port of mDNS is the machine’s. */
let mdnsPort = 43_000 + (process.pid % 9_000);
let isPossible = false;
beforeAll(async () => {
  isPossible = await hasMulticast(mdnsPort);
  explainMissingMulticast(isPossible);
});

const echo = ['run', 'tool-execution', '{"command":"echo","args":["found"]}', '--json'];

function startFinder(processes: Processes, id: string, args: readonly string[]): Running {
  return processes.start(['node', '--allow', 'echo', '--id', id, '--json', ...args]);
}

/** Somebody who takes connections and gives nothing; remembers what was shown to it. */
async function listenForTokens(): Promise<AsyncDisposable & { port: number; shown: (string | undefined)[] }> {
  const shown: (string | undefined)[] = [];
  const server: Server = createServer();
  server.on('upgrade', (request, socket) => {
    shown.push(request.headers.authorization);
    socket.end('HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    shown,
    [Symbol.asyncDispose]: () => new Promise((resolve) => server.close(() => resolve())),
  };
}

/** Announces a gateway that is none, again and again until it is disposed. */
async function forge(port: number): Promise<AsyncDisposable> {
  const forger = await openForger(mdnsPort);
  const txt = ['type=gateway', 'capabilities=', 'version=1'];
  const packet = responseOf(advertOf('aaa-forged', { port, txt }));
  const repeat = setInterval(() => void forger.send(packet), 100);
  return {
    async [Symbol.asyncDispose]() {
      clearInterval(repeat);
      await forger.close();
    },
  };
}

describe('a node with --discover mdns', () => {
  it('finds its gateway with no URL, and the next one when that has said goodbye', async () => {
    if (!isPossible) return;
    mdnsPort += 1;
    const mdns = ['--mdns-port', String(mdnsPort)];
    await using processes = new Processes();
    const node = startFinder(processes, 'n1', ['--discover', 'mdns', ...mdns]);
    const first = await startGateway(processes, ['--id', 'gw-1', '--advertise', 'mdns', ...mdns]);
    await node.ready();
    const found = await processes.run([...echo, '--discover', 'mdns', ...mdns]);
    expect(JSON.parse(found.stdout)).toMatchObject({ status: 'completed', node: 'n1', result: { stdout: 'found\n' } });

    first.process.kill('SIGTERM');
    expect((await first.process.ended).code).toBe(0);
    const second = await startGateway(processes, ['--id', 'gw-2', '--advertise', 'mdns', ...mdns]);
    const again = await processes.run([...echo, '--url', second.url]);
    expect(JSON.parse(again.stdout)).toMatchObject({ status: 'completed', node: 'n1' });
    node.kill('SIGTERM');
    expect((await node.ended).code).toBe(0);
  });

  it('is told by a forged advert to dial somebody else, and goes on to the real one', async () => {
    if (!isPossible) return;
    mdnsPort += 1;
    const mdns = ['--mdns-port', String(mdnsPort)];
    await using processes = new Processes();
    await using thief = await listenForTokens();
    await using _forged = await forge(thief.port);
    const node = startFinder(processes, 'n1', ['--discover', 'mdns', ...mdns]);
    await expect.poll(() => thief.shown.length).toBeGreaterThan(0);
    const { url } = await startGateway(processes, ['--advertise', 'mdns', ...mdns]);
    await node.ready();
    expect(JSON.parse((await processes.run([...echo, '--url', url])).stdout)).toMatchObject({ status: 'completed' });
    expect(thief.shown.filter((token) => token !== undefined)).toEqual([]);
  });

  it('gives its token to nobody who only announces a gateway, but to the one that is named', async () => {
    if (!isPossible) return;
    mdnsPort += 1;
    const tokenFile = path.join(scratchDirectory(), 'token');
    writeFileSync(tokenFile, 'sesame\n');
    const mdns = ['--mdns-port', String(mdnsPort), '--token-file', tokenFile];
    await using processes = new Processes();
    await using thief = await listenForTokens();
    await using _forged = await forge(thief.port);
    const { url } = await startGateway(processes, ['--advertise', 'mdns', ...mdns]);
    const quick = ['--limit', 'discoveryDialMs=2000'];
    const careful = processes.start(['node', '--allow', 'echo', '--discover', 'mdns', ...mdns, ...quick]);
    await expect.poll(() => careful.said()).toContain('would be given the token');
    const node = startFinder(processes, 'n2', ['--discover', 'mdns', ...mdns, '--trust', new URL(url).host]);
    await node.ready();
    expect(thief.shown).toEqual([]);
  });
});

describe('a registry', () => {
  it('leads nodes to the gateway; when it is killed and comes back, gateway and nodes notice nothing', async () => {
    const directory = scratchDirectory();
    const keyFile = path.join(directory, 'key');
    writeFileSync(keyFile, API_KEY);
    await using processes = new Processes();
    const serve = (listen: string): Running =>
      processes.start([
        ...['registry', '--listen', listen, '--api-key-file', keyFile, '--ttl', '3s'],
        ...['--data', path.join(directory, 'data'), '--json'],
      ]);
    let registry = serve('127.0.0.1:0');
    const url = String((await registry.ready())['url']);
    const here = ['--registry', url, '--api-key-file', keyFile, '--region', 'attic'];
    const quick = ['--limit', 'discoveryRefreshMs=300', '--limit', 'discoveryRetryMaxMs=500'];
    const gateway = await startGateway(processes, ['--advertise', 'registry', ...here, ...quick, '--verbose']);
    const find = (id: string): Running =>
      startFinder(processes, id, ['--discover', 'registry', ...here, ...quick, '--verbose']);
    const first = find('n1');
    await first.ready();

    registry.kill('SIGKILL');
    await registry.ended;
    await expect.poll(() => gateway.process.said()).toContain('ECONNREFUSED');
    const meanwhile = await processes.run([...echo, '--url', gateway.url]);
    expect(JSON.parse(meanwhile.stdout)).toMatchObject({ status: 'completed', node: 'n1' });

    registry = serve(new URL(url).host);
    // The lease that was acknowledged before the kill is there at once: nobody had to register again.
    expect(await registry.ready()).toMatchObject({ leases: 1 });
    const second = find('n2');
    await second.ready();
    const { stdout } = await processes.run(['nodes', 'ls', '--discover', 'registry', ...here, '--json']);
    expect(JSON.parse(stdout)).toMatchObject({ items: [{ nodeId: 'n1', status: 'online' }, { nodeId: 'n2' }] });
    expect(first.said()).not.toContain('link.down');

    // Taking leave ends the lease: who looks then finds nobody.
    gateway.process.kill('SIGTERM');
    expect((await gateway.process.ended).code).toBe(0);
    const gone = await fetch(`${url}/nodes`, { headers: { authorization: `Bearer ${API_KEY}` } });
    expect(await gone.json()).toEqual({ nodes: [] });
  });

  it('that needs a key is not asked without one', async () => {
    await using processes = new Processes();
    const { code, stderr } = await processes.run(['node', '--allow', 'echo', '--discover', 'registry']);
    expect(code).toBe(2);
    expect(stderr).toContain('registry needs --registry and --api-key-file');
  });
});
