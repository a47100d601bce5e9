/** Where a gateway listens, and whom it lets in there. An open bind without a token is refused, or with a short one. */
import { PincerError } from '../../protocol/failure.ts';
import type { Listen } from '../../transport/link.ts';
import { checkOpenToken, isLoopback, loopbackVerifier, tokenVerifier } from '../../transport/upgrade.ts';
import { listenWebSocket } from '../../transport/websocket.ts';
import type { World } from '../world/world.ts';
import type { GatewayOptions } from './gateway-options.ts';

/**
 * Every way in: those that were given, and the address.
 * @throws PincerError as `listenAt`, and `OPTION_INVALID` for listeners that are none
 */
export function listensOf({ listen = '127.0.0.1:0', listeners = [], token }: GatewayOptions, world: World): Listen[] {
  if (!Array.isArray(listeners) || listeners.some((each) => typeof each !== 'function')) {
    throw new PincerError('OPTION_INVALID', 'createGateway: listeners must be a list of functions that listen');
  }
  return listen === null ? listeners : [...listeners, listenAt(listen, token, world)];
}

/**
 * @throws PincerError `OPTION_INVALID` for a malformed address, `BIND_REFUSED` for any bind but loopback without a token
 *   that is long enough.
 */
export function listenAt(address: string, token: string | undefined, world: World): Listen {
  const { host, port } = parseAddress(address);
  if (token === undefined && !isLoopback(host)) {
    throw new PincerError('BIND_REFUSED', `listening at ${address} without a token would let anyone in`);
  }
  if (token !== undefined) checkOpenToken(token, host, { code: 'BIND_REFUSED', what: 'token' });
  const { clock, limits, log } = world;
  return listenWebSocket({
    host,
    port,
    verifier: token === undefined ? loopbackVerifier() : tokenVerifier(token),
    limits,
    clock,
    onRefused: (refusal) => log.warn('link.refused', { code: refusal.code, message: refusal.message }),
  });
}

/** `host:port`, `[v6]:port` or `:port` (all interfaces). */
function parseAddress(address: string): { host: string; port: number } {
  const parts = /^(?:\[([0-9a-fA-F:.]+)\]|([^:[\]]*)):(\d{1,5})$/.exec(address);
  const port = Number(parts?.[3]);
  if (parts === null || port > 65_535) {
    throw new PincerError('OPTION_INVALID', `listen is '${address}', must be host:port with a port from 0 to 65535`);
  }
  const host = parts[1] ?? parts[2] ?? '';
  return { host: host === '' ? '0.0.0.0' : host, port };
}
