import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Wire } from './wire.ts';

let server: Server;
let wire: Wire;
/** What the far end has got, and its links. */
let got = '';
let far: Socket[] = [];
const near: Socket[] = [];

beforeEach(async () => {
  [got, far] = ['', []];
  server = createServer((socket) => {
    far.push(socket);
    socket.on('error', () => {});
    socket.on('data', (bytes) => {
      got += bytes.toString();
      socket.write(bytes);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  wire = await Wire.start((server.address() as { port: number }).port);
});

afterEach(async () => {
  for (const socket of near.splice(0)) socket.destroy();
  await wire.close();
  server.close();
});

/** A link through the wire, what it hears, and whether it has ended. */
async function dial() {
  const socket = connect(wire.port, '127.0.0.1');
  near.push(socket);
  const link = { socket, heard: '', isOver: false };
  socket.on('data', (bytes) => {
    link.heard += bytes.toString();
  });
  socket.on('error', () => {});
  socket.on('close', () => {
    link.isOver = true;
  });
  await once(socket, 'connect');
  await expect.poll(() => wire.links).toBeGreaterThan(0);
  return link;
}

describe('a wire', () => {
  it('carries both ways', async () => {
    const link = await dial();
    link.socket.write('hello');
    await expect.poll(() => link.heard).toBe('hello');
  });

  it('is cut for all that is open, and takes new links at once', async () => {
    const link = await dial();
    wire.cut();
    await expect.poll(() => link.isOver).toBe(true);
    const next = await dial();
    next.socket.write('again');
    await expect.poll(() => next.heard).toBe('again');
  });

  it('loses what goes one way and carries the other; healed, what has lost bytes is cut', async () => {
    const link = await dial();
    wire.turn({ out: 'lost' });
    link.socket.write('gone');
    await expect.poll(() => far.length).toBe(1);
    far[0]?.write('still heard');
    await expect.poll(() => link.heard).toBe('still heard');
    expect(got).toBe('');
    wire.heal();
    await expect.poll(() => link.isOver).toBe(true);
  });

  it('holds what it carries, and goes on where it was', async () => {
    const link = await dial();
    wire.turn({ out: 'held', back: 'held' });
    link.socket.write('late');
    await expect.poll(() => far.length).toBe(1);
    expect(got).toBe('');
    wire.heal();
    await expect.poll(() => link.heard).toBe('late');
    expect(link.isOver).toBe(false);
  });

  it('is slow, and keeps the order', async () => {
    const link = await dial();
    wire.turn({ delayMs: 30 });
    for (const letter of 'abc') link.socket.write(letter);
    wire.turn({ delayMs: 1 });
    link.socket.write('d');
    await expect.poll(() => got).toBe('abcd');
  });
});
