import { createServer, type RequestListener } from 'node:http';
import { type AddressInfo, createServer as createTcpServer, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { WebSocketServer } from 'ws';
import { PincerError } from '../../src/protocol/failure.ts';
import { defaultLimits } from '../../src/protocol/limits.ts';
import type { Link, Listener } from '../../src/transport/link.ts';
import { loopbackVerifier, tokenVerifier } from '../../src/transport/upgrade.ts';
import { dialWebSocket, listenWebSocket, type WebSocketListenOptions } from '../../src/transport/websocket.ts';
import { selfSignedCertificate } from '../support/certificate.ts';
import { createHandClock, type HandClock } from '../support/hand-clock.ts';
import { startProxy } from '../support/tcp-proxy.ts';

const limits = defaultLimits;
const open: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close();
});

async function aGateway(
  options: Partial<WebSocketListenOptions> = {},
): Promise<{ listener: Listener; links: Link[]; closes: number[] }> {
  const links: Link[] = [];
  const closes: number[] = [];
  const facts = { host: '127.0.0.1', port: 0, verifier: loopbackVerifier(), limits, clock: createHandClock() };
  const listener = await listenWebSocket({ ...facts, ...options })((link) => {
    links.push(link);
    link.attach({ onFrame: () => {}, onClose: (code) => closes.push(code) });
  });
  open.push(() => listener.close());
  return { listener, links, closes };
}

/** A server that is no gateway. */
async function aStranger(answer: RequestListener): Promise<string> {
  const server = createServer(answer);
  // Without a listener for upgrades, Node answers them as plain requests.
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  open.push(() => server.close());
  open.push(() => server.closeAllConnections());
  return `ws://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

async function failureOf(
  url: string,
  options: { token?: string; clock?: HandClock; signal?: AbortSignal } = {},
): Promise<PincerError> {
  const { token, clock = createHandClock(), signal = new AbortController().signal } = options;
  const dial = dialWebSocket(url, { limits, clock, ...(token === undefined ? {} : { token }) });
  const error = await dial(signal).then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(PincerError);
  expect(clock.scheduled).toBe(0);
  return error as PincerError;
}

describe('dialling', () => {
  it('opens a link that knows both ends', async () => {
    const { listener, links } = await aGateway({ verifier: tokenVerifier('t0ken') });
    const link = await dialWebSocket(listener.url, { token: 't0ken', limits, clock: createHandClock() })(
      new AbortController().signal,
    );
    expect(link.remoteAddress).toBe(listener.url.replace('ws://', ''));
    expect(links[0]?.remoteAddress).toMatch(/^127\.0\.0\.1:\d+$/);
    expect(links[0]?.identity).toEqual({ name: 'token' });
  });

  it('opens a link that takes what any gateway sends, also by lowered limits', async () => {
    const { listener, links } = await aGateway();
    const lowered = { ...limits, frameBytesMax: 1_000 };
    const link = await dialWebSocket(listener.url, { limits: lowered, clock: createHandClock() })(
      new AbortController().signal,
    );
    const sizes: number[] = [];
    link.attach({ onFrame: ({ byteLength }) => sizes.push(byteLength), onClose: (code) => sizes.push(-code) });
    links[0]?.send(new Uint8Array(limits.frameBytesMax));
    await expect.poll(() => sizes).toEqual([limits.frameBytesMax]);
  });

  it('fails with UNAUTHENTICATED and the gateway’s own words without the right token', async () => {
    const { listener } = await aGateway({ verifier: tokenVerifier('t0ken') });
    const error = await failureOf(listener.url, { token: 'other' });
    expect(error).toMatchObject({
      code: 'UNAUTHENTICATED',
      retryable: false,
      hint: expect.stringContaining('--token-file'),
    });
    expect(error.message).toBe(`${listener.url} refused the link: the token is not the gateway’s`);
    expect(error.message).not.toContain('other');
  });

  it('fails with GATEWAY_UNREACHABLE where nobody listens', async () => {
    const { listener } = await aGateway();
    await listener.close();
    const error = await failureOf(listener.url);
    expect(error).toMatchObject({ code: 'GATEWAY_UNREACHABLE', retryable: true });
    expect(error.message).toContain('ECONNREFUSED');
  });

  it('fails with what to do about it where the certificate is not trusted, or there is no TLS at all', async () => {
    const { listener } = await aGateway();
    const proxy = await startProxy(listener.url, selfSignedCertificate());
    open.push(() => proxy[Symbol.asyncDispose]());
    const unknown = await failureOf(proxy.url);
    expect(unknown).toMatchObject({
      code: 'GATEWAY_UNREACHABLE',
      message: expect.stringContaining('SELF_SIGNED_CERT'),
    });
    expect(unknown.hint).toContain('NODE_EXTRA_CA_CERTS=FILE');
    const plain = await failureOf(listener.url.replace('ws:', 'wss:'));
    expect([plain.code, plain.hint]).toEqual(['GATEWAY_UNREACHABLE', expect.stringContaining('dial ws://')]);
  });

  it('fails with RATE_EXCEEDED and when to come back where the gateway is full', async () => {
    const { listener } = await aGateway({ limits: { ...limits, linksMax: 0 } });
    expect(await failureOf(listener.url)).toMatchObject({ code: 'RATE_EXCEEDED', retryAfterMs: limits.reconnectMaxMs });
  });

  it('takes the word of a proxy on when to come back', async () => {
    const url = await aStranger((_request, response) => response.writeHead(503, { 'Retry-After': '7' }).end('busy'));
    expect(await failureOf(url)).toMatchObject({ code: 'RATE_EXCEEDED', retryAfterMs: 7_000 });
    const vague = await aStranger((_request, response) => response.writeHead(503, { 'Retry-After': 'soon' }).end());
    expect((await failureOf(vague)).retryAfterMs).toBeUndefined();
  });

  it('fails with PROTOCOL_VERSION where another protocol is spoken', async () => {
    const server = new WebSocketServer({ host: '127.0.0.1', port: 0, handleProtocols: () => false });
    open.push(() => server.close());
    await new Promise((resolve) => server.once('listening', resolve));
    const url = `ws://127.0.0.1:${(server.address() as AddressInfo).port}`;
    expect(await failureOf(url)).toMatchObject({ code: 'PROTOCOL_VERSION', retryable: false });
  });

  it('fails with GATEWAY_UNREACHABLE at any other server, whatever it answers', async () => {
    const notFound = await aStranger((_request, response) => response.writeHead(404).end('x'.repeat(100_000)));
    expect(await failureOf(notFound)).toMatchObject({
      code: 'GATEWAY_UNREACHABLE',
      message: `${notFound} is not a gateway: it answered HTTP 404`,
    });
    const moved = await aStranger((_request, response) =>
      response.writeHead(302, { Location: 'ws://127.0.0.1:1/' }).end(),
    );
    expect((await failureOf(moved, { token: 't' })).message).toContain('HTTP 302');
    const abrupt = await aStranger((request) => request.socket.destroy());
    expect((await failureOf(abrupt)).code).toBe('GATEWAY_UNREACHABLE');
  });

  it('shows a stranger’s words without control characters', async () => {
    const body = JSON.stringify({ message: '\u001b[31mred', hint: 'a\r\nb', code: 7 });
    const url = await aStranger((_request, response) => response.writeHead(401).end(body));
    const error = await failureOf(url);
    expect(error.message).toContain('\ufffd[31mred');
    expect(error.hint).toBe('a\ufffd\ufffdb');
  });

  it('gives up after handshakeMs at a server that never answers', async () => {
    const silent = createTcpServer();
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
    open.push(() => silent.close());
    const url = `ws://127.0.0.1:${(silent.address() as AddressInfo).port}`;
    const clock = createHandClock();
    const connected = new Promise<Socket>((resolve) => silent.once('connection', resolve));
    const failure = failureOf(url, { clock });
    const socket = await connected;
    const hungUp = new Promise((resolve) => socket.once('close', resolve));
    socket.on('error', () => {});
    socket.resume();
    clock.pass(limits.handshakeMs);
    expect((await failure).message).toBe(`${url} did not answer within 10000 ms`);
    await hungUp;
  });

  it('gives up when it is told to', async () => {
    const { listener } = await aGateway();
    expect(await failureOf(listener.url, { signal: AbortSignal.abort() })).toMatchObject({ code: 'STOPPED' });
    const controller = new AbortController();
    const failure = failureOf(listener.url, { signal: controller.signal });
    const reason = new PincerError('GATEWAY_DRAINING', 'told so');
    controller.abort(reason);
    expect(await failure).toBe(reason);
  });

  it('leaves an open link alone when it is told to give up too late', async () => {
    const { listener } = await aGateway();
    const controller = new AbortController();
    const clock = createHandClock();
    const link = await dialWebSocket(listener.url, { limits, clock })(controller.signal);
    controller.abort();
    clock.pass(60_000);
    expect(link.isOpen).toBe(true);
  });

  it.each(['http://127.0.0.1', 'not a url', 'ws://127.0.0.1/#token', 'ws://user:secret@127.0.0.1'])(
    'does not take %j for a URL',
    (url) => {
      const dial = (): unknown => dialWebSocket(url, { limits, clock: createHandClock() });
      expect(dial).toThrow(expect.objectContaining({ code: 'OPTION_INVALID' }));
      expect(dial).not.toThrow('secret');
    },
  );
});

describe('a listener', () => {
  it('terminates its links when it closes, frees its port, and closes once', async () => {
    const { listener, links, closes } = await aGateway();
    const ends: number[] = [];
    const link = await dialWebSocket(listener.url, { limits, clock: createHandClock() })(new AbortController().signal);
    link.attach({ onFrame: () => {}, onClose: (code) => ends.push(code) });
    await Promise.all([listener.close(), listener.close()]);
    await expect.poll(() => [...closes, ...ends]).toEqual([1006, 1006]);
    expect(links).toHaveLength(1);
    const again = await aGateway({ port: Number(new URL(listener.url).port) });
    expect(again.listener.url).toBe(listener.url);
  });

  it('says which port is taken, and how to ask who is there', async () => {
    const { listener } = await aGateway();
    const port = Number(new URL(listener.url).port);
    await expect(aGateway({ port })).rejects.toMatchObject({
      code: 'OPTION_INVALID',
      message: `cannot listen on 127.0.0.1:${port} (EADDRINUSE)`,
      hint: expect.stringMatching(`pincer doctor --url ws://127.0.0.1:${port}.*--listen`),
    });
  });

  it('listens on IPv6, at a path, and on a server of its caller’s', async () => {
    const six = await aGateway({ host: '::1', path: '/links' });
    expect(six.listener.url).toMatch(/^ws:\/\/\[::1\]:\d+\/links$/);
    await dialWebSocket(six.listener.url, { limits, clock: createHandClock() })(new AbortController().signal);
    expect(six.links[0]?.remoteAddress).toMatch(/^\[::1\]:\d+$/);

    const own = await aGateway({ server: createServer((_request, response) => response.end('mine')) });
    const page = await fetch(own.listener.url.replace('ws:', 'http:'));
    expect(await page.text()).toBe('mine');
    await dialWebSocket(own.listener.url, { limits, clock: createHandClock() })(new AbortController().signal);
    expect(own.links).toHaveLength(1);
  });
});
