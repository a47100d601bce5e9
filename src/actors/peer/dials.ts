/** The ways to a gateway that an option names: URLs, or dials of an in-memory network. */
import { PincerError } from '../../protocol/failure.ts';
import { plainUrl } from '../../protocol/identifier.ts';
import type { Dial } from '../../transport/link.ts';
import { dialWebSocket } from '../../transport/websocket.ts';
import type { World } from '../world/world.ts';

/** One gateway or several of the same store: `ws://host:port`, or a dial of a gateway in this process. */
export type Target = string | Dial | readonly (string | Dial)[];

/**
 * @throws PincerError `OPTION_INVALID` for a URL that is not ws: or wss:, or for none at all.
 */
export function dialsOf(target: Target, token: string | undefined, world: World): readonly Dial[] {
  const targets: unknown = typeof target === 'string' || typeof target === 'function' ? [target] : target;
  // What is not typed may name none at all.
  if (!Array.isArray(targets) || targets.length === 0) {
    throw new PincerError('OPTION_INVALID', 'no gateway is named', {
      hint: 'Give a URL such as ws://127.0.0.1:7443, several of one store, or the `dial` of a gateway in this process.',
    });
  }
  const { clock, limits } = world;
  return targets.map((one: string | Dial) => {
    if (typeof one === 'function') return one;
    const url = URL.canParse(one) ? new URL(one) : null;
    if (url === null || (url.protocol !== 'ws:' && url.protocol !== 'wss:')) {
      throw new PincerError(
        'OPTION_INVALID',
        `'${plainUrl(String(one))}' is not a gateway URL like ws://127.0.0.1:7443`,
      );
    }
    return dialWebSocket(one, { clock, limits, ...(token === undefined ? {} : { token }) });
  });
}
