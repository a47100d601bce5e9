import { getEventListeners } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../../src/actors/world/system-clock.ts';
import { isNearby, reachOf, splitAddress } from '../../../src/transport/discovery/address.ts';
import { createSafeFetch, type SafeFetchOptions } from '../../../src/transport/discovery/safe-fetch.ts';
import { createHandClock } from '../../support/hand-clock.ts';

const endings: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const end of endings.splice(0).reverse()) await end();
});

function aWeb(options: Partial<SafeFetchOptions> = {}) {
  const web = createSafeFetch({
    clock: systemClock(),
    timeoutMs: 5_000,
    bytesMax: 1_000,
    isLoopbackAllowed: true,
    isPrivateAllowed: false,
    ...options,
  });
  endings.push(() => web.close());
  return (url: string) => web.fetch(url, { method: 'GET' });
}

async function aServer(listener: RequestListener): Promise<{ port: number; hits: () => number }> {
  let hits = 0;
  const server = createServer((request, response) => {
    hits += 1;
    listener(request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  endings.push(
    () =>
      new Promise((resolve) => {
        server.close(resolve);
        server.closeAllConnections();
      }),
  );
  return { port: (server.address() as AddressInfo).port, hits: () => hits };
}

const EVERYWHERE = { isLoopbackAllowed: true, isPrivateAllowed: true };
const strict = { isLoopbackAllowed: false };

describe('a safe fetch', () => {
  it('asks a loopback address that the URL names', async () => {
    const { port } = await aServer((_request, response) => response.end('hello'));
    expect(await aWeb()(`http://127.0.0.1:${port}/`)).toEqual({ status: 200, text: 'hello' });
    expect(await aWeb()(`http://localhost:${port}/`)).toMatchObject({ status: 200 });
  });

  it.each([
    'http://2130706433/',
    'http://0x7f000001/',
    'http://0177.0.0.1/',
    'http://127.1/',
    'http://[::ffff:7f00:1]/',
    'http://[::ffff:127.0.0.1]/',
    'http://[64:ff9b::7f00:1]/',
    'http://169.254.169.254/latest/meta-data/',
    'https://169.254.169.254/',
    'https://[fd00:ec2::254]/',
    'https://100.100.100.200/',
    'https://[fe80::1]/',
    'https://0.0.0.0/',
    'https://[::]/',
    'https://10.0.0.1/',
    'https://192.168.0.1/',
    'https://[64:ff9b::a00:1]/',
    'https://[2002:7f00:1::]/',
    'http://example.com/',
    'ftp://127.0.0.1/',
    'file:///etc/passwd',
    'http://user:secret@127.0.0.1/',
    'not a url',
  ])('never asks %s', async (url) => {
    const resolve = async (): Promise<string[]> => expect.fail('nothing is looked up');
    await expect(aWeb({ resolve })(url)).rejects.toMatchObject({ code: 'ADDRESS_REFUSED' });
  });

  it.each(['http://127.0.0.1/', 'https://127.0.0.1/', 'https://localhost/', 'https://[::1]/', 'https://127.0.0.2/'])(
    'never asks %s for a stranger',
    async (url) => {
      await expect(aWeb(strict)(url)).rejects.toMatchObject({ code: 'ADDRESS_REFUSED' });
    },
  );

  it.each([['127.0.0.1'], ['10.0.0.1'], ['169.254.169.254'], ['::ffff:7f00:1'], ['93.184.216.34', '127.0.0.1']])(
    'never connects to a name that leads to %s, %s',
    async (...addresses) => {
      for (const host of ['127.evil.com', 'localhost.evil.com', 'metadata.internal']) {
        await expect(aWeb({ resolve: async () => addresses })(`https://${host}/`)).rejects.toMatchObject({
          code: 'ADDRESS_REFUSED',
          message: expect.stringContaining(host),
        });
      }
    },
  );

  it('looks a name up once, and connects to what was judged: a name server that changes its mind is not asked again', async () => {
    const { port, hits } = await aServer((_request, response) => response.end('secret'));
    let looks = 0;
    const clock = createHandClock();
    // First an address that leads nowhere, then the one that is wanted.
    const resolve = async (): Promise<string[]> => (looks++ === 0 ? ['192.0.0.8', '203.0.113.1'] : ['127.0.0.1']);
    await expect(aWeb({ resolve, clock })(`https://rebind.evil.com:${port}/`)).rejects.toMatchObject({
      code: 'ADDRESS_REFUSED',
    });
    expect(looks).toBe(1);
    await expect(aWeb({ resolve, clock })(`https://rebind.evil.com:${port}/`)).rejects.toMatchObject({
      code: 'ADDRESS_REFUSED',
    });
    expect(looks).toBe(2);
    expect(hits()).toBe(0);
  });

  it('connects to a private address only where that is allowed', async () => {
    const resolve = async (): Promise<string[]> => ['10.255.255.1'];
    const clock = createHandClock();
    const asked = aWeb({ resolve, isPrivateAllowed: true, clock })('https://registry.lan/');
    const outcome = expect(asked).rejects.toMatchObject({ code: expect.stringMatching(/TIMED_OUT|DISCOVERY_FAILED/) });
    await new Promise((resolved) => setTimeout(resolved, 50));
    clock.pass(5_000);
    await outcome;
  });

  it('follows no redirect, least of all to loopback', async () => {
    const target = await aServer((_request, response) => response.end('secret'));
    const { port } = await aServer((_request, response) => {
      response.writeHead(302, { location: `http://127.0.0.1:${target.port}/` }).end();
    });
    await expect(aWeb()(`http://127.0.0.1:${port}/`)).rejects.toMatchObject({
      code: 'ADDRESS_REFUSED',
      message: expect.stringMatching(/leads elsewhere \(302\)/),
    });
    expect(target.hits()).toBe(0);
  });

  it('gives up on an answer that does not come, or not to an end', async () => {
    const clock = createHandClock();
    const { port, hits } = await aServer((request, response) => {
      if (request.url === '/drip') response.write('{');
    });
    for (const path of ['', 'drip']) {
      const before = hits();
      const asked = aWeb({ clock })(`http://127.0.0.1:${port}/${path}`);
      const outcome = expect(asked).rejects.toMatchObject({
        code: 'TIMED_OUT',
        message: expect.stringMatching(/5000 ms/),
      });
      await expect.poll(hits).toBe(before + 1);
      clock.pass(5_000);
      await outcome;
    }
  });

  it('reads no more than it may', async () => {
    let sent = 0;
    const { port } = await aServer((_request, response) => {
      const more = (): void => {
        sent += 10_000;
        if (response.writable && sent < 1e9) response.write('x'.repeat(10_000), more);
      };
      more();
    });
    await expect(aWeb()(`http://127.0.0.1:${port}/`)).rejects.toMatchObject({
      message: expect.stringMatching(/larger than 1000/),
    });
    expect(sent).toBeLessThan(1e8);
  });

  it('says who does not answer', async () => {
    await expect(aWeb()('http://127.0.0.1:1/')).rejects.toMatchObject({
      code: 'DISCOVERY_FAILED',
      message: expect.stringMatching(/127\.0\.0\.1:1 does not answer: .*ECONNREFUSED/),
    });
  });
});

it('leaves nothing behind on a signal that outlives the request, as that of a source does', async () => {
  const { port } = await aServer((_, response) => response.end('{}'));
  const { signal } = new AbortController();
  const web = createSafeFetch({ clock: systemClock(), timeoutMs: 5_000, bytesMax: 1_000, ...EVERYWHERE });
  endings.push(() => web.close());
  for (let n = 0; n < 3; n += 1) await web.fetch(`http://127.0.0.1:${port}/`, { method: 'GET', signal });
  expect(getEventListeners(signal, 'abort')).toEqual([]);
  // What AbortSignal.any has made of a signal is kept by it, in a set, for as long as it lives.
  const kept = Object.getOwnPropertySymbols(signal).map((symbol) => (signal as never)[symbol] as { size?: number });
  expect(kept.filter((one) => (one?.size ?? 0) > 0)).toEqual([]);
});

describe('an address', () => {
  it.each([
    ['127.0.0.1', 'loopback'],
    ['127.255.0.1', 'loopback'],
    ['::1', 'loopback'],
    ['10.1.2.3', 'private'],
    ['172.31.0.1', 'private'],
    ['172.32.0.1', 'public'],
    ['fd12::1', 'private'],
    ['8.8.8.8', 'public'],
    ['2606:4700::1111', 'public'],
    ['::ffff:8.8.8.8', 'forbidden'],
    ['64:ff9b::808:808', 'forbidden'],
    ['169.254.1.1', 'forbidden'],
    ['fe80::1%lo', 'forbidden'],
    ['224.0.0.251', 'forbidden'],
    ['example.com', 'forbidden'],
  ])('%s is %s', (address, reach) => {
    expect(reachOf(address)).toBe(reach);
  });

  it('is near when it is on this machine or in a private range (#25)', () => {
    expect(['127.0.0.1', '192.168.1.1', '169.254.9.9', '8.8.8.8', 'fe80::1'].map(isNearby)).toEqual([
      true,
      true,
      false,
      false,
      false,
    ]);
  });

  it('with a port is split as people write it', () => {
    expect(splitAddress('agent.local:18790')).toEqual({ host: 'agent.local', port: 18_790 });
    expect(splitAddress('[::1]:80')).toEqual({ host: '::1', port: 80 });
    for (const text of ['::1:80', '1.2.3:80', 'a:0', 'a:65536', 'a', ':80', 'a b:1', '[a]:1', 'http://a:1', 'a:1/']) {
      expect(splitAddress(text), text).toBeNull();
    }
  });
});
