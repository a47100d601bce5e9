/** What a gateway refuses, seen from raw sockets: most of it before a WebSocket exists. */
import { createConnection, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import type { PincerError } from '../../src/protocol/failure.ts';
import { defaultLimits, type Limits } from '../../src/protocol/limits.ts';
import { SUBPROTOCOL } from '../../src/protocol/message.ts';
import type { Link, Listener } from '../../src/transport/link.ts';
import { loopbackVerifier, tokenVerifier, type Verifier } from '../../src/transport/upgrade.ts';
import { listenWebSocket } from '../../src/transport/websocket.ts';
import { createHandClock } from '../support/hand-clock.ts';

interface Gateway {
  readonly listener: Listener;
  readonly links: Link[];
  readonly refusals: PincerError[];
}

/** One TCP connection, with all that came back on it. */
interface Wire {
  readonly socket: Socket;
  received: Buffer;
  isClosed: boolean;
}

const open: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close();
});

async function aGateway(
  options: { verifier?: Verifier; limits?: Partial<Limits>; path?: string } = {},
): Promise<Gateway> {
  const links: Link[] = [];
  const refusals: PincerError[] = [];
  const listener = await listenWebSocket({
    host: '127.0.0.1',
    port: 0,
    verifier: options.verifier ?? loopbackVerifier(),
    limits: { ...defaultLimits, ...options.limits },
    clock: createHandClock(),
    onRefused: (refusal) => refusals.push(refusal),
    ...(options.path === undefined ? {} : { path: options.path }),
  })((link) => {
    links.push(link);
    link.attach({ onFrame: () => {}, onClose: () => {} });
  });
  open.push(() => listener.close());
  return { listener, links, refusals };
}

async function aWire({ listener }: Gateway): Promise<Wire> {
  const socket = createConnection(Number(new URL(listener.url).port), '127.0.0.1');
  const wire: Wire = { socket, received: Buffer.alloc(0), isClosed: false };
  open.push(() => socket.destroy());
  socket.on('data', (data) => {
    wire.received = Buffer.concat([wire.received, data]);
  });
  socket.on('error', () => {});
  socket.on('close', () => {
    wire.isClosed = true;
  });
  await new Promise((resolve) => socket.once('connect', resolve));
  return wire;
}

function handshake(headers: Readonly<Record<string, string | undefined>> = {}, path = '/'): string {
  const all: Record<string, string | undefined> = {
    Host: '127.0.0.1',
    Connection: 'Upgrade',
    Upgrade: 'websocket',
    'Sec-WebSocket-Version': '13',
    'Sec-WebSocket-Key': Buffer.alloc(16, 7).toString('base64'),
    'Sec-WebSocket-Protocol': SUBPROTOCOL,
    ...headers,
  };
  const lines = Object.entries(all).flatMap(([name, value]) => (value === undefined ? [] : [`${name}: ${value}`]));
  return `GET ${path} HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n`;
}

/** Sends a handshake, or anything else, and waits for the whole answer. */
async function answerTo(gateway: Gateway, request: string): Promise<{ status: number; head: string; body: string }> {
  const wire = await aWire(gateway);
  wire.socket.write(request);
  await expect.poll(() => wire.isClosed || wire.received.includes('HTTP/1.1 101')).toBe(true);
  const [head = '', body = ''] = wire.received.toString().split('\r\n\r\n');
  return { status: Number(head.split(' ')[1]), head, body };
}

describe('an upgrade', () => {
  const token = tokenVerifier('right-token');

  it.each<[string, Record<string, string | undefined>, number, string]>([
    ['without a token', {}, 401, 'UNAUTHENTICATED'],
    ['with a wrong token', { Authorization: 'Bearer wrong' }, 401, 'UNAUTHENTICATED'],
    ['with an empty Authorization header', { Authorization: '' }, 401, 'UNAUTHENTICATED'],
    ['with the token in another scheme', { Authorization: 'Basic right-token' }, 401, 'UNAUTHENTICATED'],
    [
      'from a web page that has the token',
      { Authorization: 'Bearer right-token', Origin: 'https://a.b' },
      403,
      'FORBIDDEN',
    ],
  ])('%s is refused before there is a WebSocket', async (_case, headers, status, code) => {
    const gateway = await aGateway({ verifier: token });
    const answer = await answerTo(gateway, handshake(headers));
    expect(answer.status).toBe(status);
    expect(JSON.parse(answer.body)).toEqual({ code, message: expect.any(String), hint: expect.any(String) });
    expect(gateway.links).toEqual([]);
    expect(gateway.refusals.map((refusal) => refusal.code)).toEqual([code]);
  });

  it('with the right token opens a link', async () => {
    const gateway = await aGateway({ verifier: token });
    const { status, head } = await answerTo(gateway, handshake({ Authorization: 'Bearer right-token' }));
    expect(status).toBe(101);
    expect(head).toContain(`Sec-WebSocket-Protocol: ${SUBPROTOCOL}`);
    expect(gateway.links.map((link) => link.identity)).toEqual([{ name: 'token' }]);
  });

  it('for a host that is not this machine is refused where no token protects it', async () => {
    const gateway = await aGateway();
    expect((await answerTo(gateway, handshake({ Host: 'rebound.example.org' }))).status).toBe(403);
    expect((await answerTo(gateway, handshake({ Origin: 'http://127.0.0.1' }))).status).toBe(403);
    expect(gateway.links).toEqual([]);
  });

  it.each([undefined, 'chat', 'pincer.v2.msgpack', `${SUBPROTOCOL}x`])(
    'that offers the subprotocol %s is told which one to offer',
    async (offered) => {
      const gateway = await aGateway();
      const answer = await answerTo(gateway, handshake({ 'Sec-WebSocket-Protocol': offered }));
      expect(answer.status).toBe(400);
      expect(JSON.parse(answer.body)).toMatchObject({
        code: 'PROTOCOL_VERSION',
        message: expect.stringContaining(SUBPROTOCOL),
      });
      expect(gateway.links).toEqual([]);
    },
  );

  it('that offers several subprotocols gets ours', async () => {
    const answer = await answerTo(await aGateway(), handshake({ 'Sec-WebSocket-Protocol': `chat, ${SUBPROTOCOL}` }));
    expect(answer.head).toContain(`Sec-WebSocket-Protocol: ${SUBPROTOCOL}`);
  });

  it('is never compressed, whatever the peer offers', async () => {
    const answer = await answerTo(await aGateway(), handshake({ 'Sec-WebSocket-Extensions': 'permessage-deflate' }));
    expect(answer.status).toBe(101);
    expect(answer.head).not.toMatch(/extensions/i);
  });

  it('beyond the last free link is told when to come back', async () => {
    const gateway = await aGateway({ limits: { linksMax: 1 } });
    expect((await answerTo(gateway, handshake())).status).toBe(101);
    const answer = await answerTo(gateway, handshake());
    expect(answer.status).toBe(503);
    expect(answer.head).toContain('Retry-After: 5');
    expect(JSON.parse(answer.body)).toMatchObject({ code: 'RATE_EXCEEDED', retryAfterMs: 5_000 });
    gateway.links[0]?.terminate();
    await expect.poll(async () => (await answerTo(gateway, handshake())).status).toBe(101);
  });

  it('at another path is not found', async () => {
    const gateway = await aGateway({ path: '/links' });
    expect((await answerTo(gateway, handshake({}, '/'))).status).toBe(404);
    expect((await answerTo(gateway, handshake({}, '/links?x=1'))).status).toBe(101);
  });
});

describe('a plain request', () => {
  const get = (path: string, method = 'GET'): string =>
    `${method} ${path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`;

  it('learns from /livez that the gateway lives, and nothing else', async () => {
    const gateway = await aGateway();
    expect(await answerTo(gateway, get('/livez'))).toMatchObject({ status: 200, body: expect.stringContaining('ok') });
    expect((await answerTo(gateway, get('/'))).status).toBe(426);
    expect((await answerTo(gateway, get('/metrics'))).status).toBe(404);
    expect((await answerTo(gateway, get('/livez', 'DELETE'))).status).toBe(404);
  });

  it('with more headers than httpHeaderBytesMax is refused', async () => {
    const request = handshake({ 'X-Filler': 'x'.repeat(9_000) });
    expect((await answerTo(await aGateway(), request)).status).toBe(431);
  });

  it('that sends its headers slowly, or none, is closed after httpHeadersMs', async () => {
    const gateway = await aGateway({ limits: { httpHeadersMs: 200, httpRequestMs: 300 } });
    const [silent, slow] = [await aWire(gateway), await aWire(gateway)];
    slow.socket.write('GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n');
    await expect.poll(() => silent.isClosed && slow.isClosed, { timeout: 5_000 }).toBe(true);
    expect(slow.received.toString()).toContain('408');
  });
});

describe('an open link', () => {
  /** A client’s frame, masked with zeros. */
  const frame = (opcode: number, content: Buffer): Buffer =>
    Buffer.concat([Buffer.from([0x80 | opcode, 0x80 | content.length, 0, 0, 0, 0]), content]);

  async function anOpenWire(limits: Partial<Limits> = {}): Promise<{ wire: Wire; link: Link; ends: string[] }> {
    const ends: string[] = [];
    const accepted: Link[] = [];
    const listener = await listenWebSocket({
      host: '127.0.0.1',
      port: 0,
      verifier: loopbackVerifier(),
      limits: { ...defaultLimits, ...limits },
      clock: createHandClock(),
    })((link) => {
      accepted.push(link);
      link.attach({ onFrame: () => ends.push('frame'), onClose: (code, reason) => ends.push(`${code} ${reason}`) });
    });
    open.push(() => listener.close());
    const wire = await aWire({ listener, links: accepted, refusals: [] });
    wire.socket.write(handshake());
    await expect.poll(() => accepted.length > 0 && wire.received.includes('\r\n\r\n')).toBe(true);
    wire.received = Buffer.alloc(0);
    return { wire, link: accepted[0] as Link, ends };
  }

  /** The code of the close frame that came back. */
  const closeCode = ({ received }: Wire): number => (received[0] === 0x88 ? received.readUInt16BE(2) : 0);

  it('is closed with 4400 by a text frame, which nobody gets to see', async () => {
    const { wire, ends } = await anOpenWire();
    wire.socket.write(Buffer.concat([frame(1, Buffer.from('{"type":"register"}')), frame(2, Buffer.from([0x90]))]));
    await expect.poll(() => closeCode(wire)).toBe(4400);
    expect(wire.received.subarray(4).toString()).toBe('FRAME_INVALID: frames are binary');
    wire.socket.write(frame(8, Buffer.from([0x11, 0x30])));
    await expect.poll(() => ends).toEqual(['4400 ']);
  });

  it('is closed by a frame that announces more than frameBytesMax, before the rest of it comes', async () => {
    const { wire, ends } = await anOpenWire();
    wire.socket.write(Buffer.from([0x82, 0xff, 0, 0, 0, 0, 0, 0x10, 0, 1, 0, 0, 0, 0]));
    await expect.poll(() => closeCode(wire)).toBe(1009);
    wire.socket.destroy();
    await expect.poll(() => ends).toEqual(['1009 WS_ERR_UNSUPPORTED_MESSAGE_LENGTH']);
  });

  it('is closed by more fragments than frameFragmentsMax', async () => {
    const { wire, ends } = await anOpenWire();
    const fragment = (first: boolean): Buffer => Buffer.from([first ? 0x02 : 0x00, 0x81, 0, 0, 0, 0, 0x91]);
    wire.socket.write(Buffer.concat(Array.from({ length: 17 }, (_, at) => fragment(at === 0))));
    await expect.poll(() => closeCode(wire)).toBe(1008);
    wire.socket.destroy();
    await expect.poll(() => ends.length).toBe(1);
  });

  it.each([
    ['an unmasked frame', Buffer.from([0x82, 0x01, 0x90])],
    ['a reserved bit', Buffer.from([0xc2, 0x81, 0, 0, 0, 0, 0x90])],
    ['an unknown opcode', Buffer.from([0x83, 0x80, 0, 0, 0, 0])],
    ['a close frame of one byte', Buffer.from([0x88, 0x81, 0, 0, 0, 0, 0x03])],
  ])('is closed with 1002 by %s', async (_case, bytes) => {
    const { wire, ends } = await anOpenWire();
    wire.socket.write(bytes);
    await expect.poll(() => closeCode(wire)).toBe(1002);
    wire.socket.destroy();
    await expect.poll(() => ends.length).toBe(1);
    expect(ends[0]).toMatch(/^1002 WS_ERR_/);
  });

  it('shows a peer’s reason without its control characters', async () => {
    const { wire, ends } = await anOpenWire();
    wire.socket.write(frame(8, Buffer.concat([Buffer.from([0x03, 0xe8]), Buffer.from('\u001b[2J\u202ebye')])));
    await expect.poll(() => ends).toEqual(['1000 \ufffd[2J\ufffdbye']);
  });

  it('ends with 1006 when its peer is gone', async () => {
    const { wire, ends } = await anOpenWire();
    wire.socket.resetAndDestroy();
    await expect.poll(() => ends).toEqual(['1006 ']);
  });
});
