/** A wire that a test can cut: passes bytes between a port of its own and another. */
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import type { Certificate } from './certificate.ts';

export interface TcpProxy extends AsyncDisposable {
  /** What to dial instead. */
  readonly url: string;
  /** Destroys what is connected, without a word to either side. */
  cut(): void;
  /** Passes nothing more of what the other side says to whoever is connected now. */
  stall(): void;
  /** Passes nothing more of what whoever is connected now says to the other side. */
  mute(): void;
  /** False: who dials is hung up on at once. */
  isPassing: boolean;
}

/** A proxy to where a `ws:` URL leads. With a certificate it speaks TLS, and is dialled by that. */
export async function startProxy(url: string, certificate?: Certificate): Promise<TcpProxy> {
  const { hostname, port } = new URL(url);
  const sockets = new Set<Socket>();
  const fars = new Set<Socket>();
  const nears = new Set<Socket>();
  const keep = (socket: Socket): void => {
    sockets.add(socket);
    socket.on('error', () => socket.destroy());
    socket.on('close', () => sockets.delete(socket));
  };
  const take = (near: Socket): void => {
    keep(near);
    if (!proxy.isPassing) {
      near.destroy();
      return;
    }
    const far = connect(Number(port), hostname);
    keep(far);
    fars.add(far);
    nears.add(near);
    near.pipe(far).pipe(near);
    near.on('close', () => far.destroy());
    far.on('close', () => near.destroy());
  };
  const server = certificate === undefined ? createServer(take) : createTlsServer(certificate, take);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const proxy: TcpProxy = {
    url: `${certificate === undefined ? 'ws://127.0.0.1' : 'wss://localhost'}:${(server.address() as AddressInfo).port}`,
    isPassing: true,
    cut() {
      for (const socket of sockets) socket.destroy();
    },
    stall() {
      for (const far of fars) far.unpipe().pause();
    },
    mute() {
      for (const near of nears) near.unpipe().pause();
    },
    [Symbol.asyncDispose]() {
      proxy.cut();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
  return proxy;
}
