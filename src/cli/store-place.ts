/** Where a gateway keeps its tasks when nobody says so, by the convention of each platform. */
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import process from 'node:process';
import { PincerError } from '../client.ts';
import type { Limits } from '../index.ts';
import type { Store } from '../store.ts';

/** A gateway with this for a store forgets all when it ends. */
export const IN_MEMORY = 'memory';

/** What decides about the place, so that a test can say it. */
interface Surroundings {
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly platform: NodeJS.Platform;
  readonly home: string;
}

const HERE: Surroundings = { environment: process.env, platform: process.platform, home: homedir() };

/** The folder for Pincer’s data: PINCER_HOME, or what the platform has for such. */
export function dataDir({ environment, platform, home }: Surroundings = HERE): string {
  const of = (name: string): string | undefined => environment[name] || undefined;
  const own = of('PINCER_HOME');
  if (own !== undefined) return resolve(own);
  if (platform === 'win32') return join(of('LOCALAPPDATA') ?? join(home, 'AppData', 'Local'), 'pincer');
  if (platform === 'darwin') return join(home, 'Library', 'Application Support', 'pincer');
  return join(of('XDG_DATA_HOME') ?? join(home, '.local', 'share'), 'pincer');
}

/**
 * The directory of the store, or `memory`. Without `--store` each port of the machine has a directory of its own: the
 * gateway that is started there again finds its tasks, and no two gateways share a store unless both are told to. A port
 * that the system chooses is another one each time, so nothing would ever be found again: memory.
 */
export function storePlace(store: string | undefined, listen: string, surroundings: Surroundings = HERE): string {
  if (store !== undefined) return store === IN_MEMORY ? IN_MEMORY : resolve(store);
  const port = listen.slice(listen.lastIndexOf(':') + 1);
  return port === '0' ? IN_MEMORY : join(dataDir(surroundings), `gateway-${port}`);
}

/** The directory of a store that is looked at: that of `--store`, else the one of a gateway at the default address. */
export function storeDir(store: string | undefined, listen: string): string {
  const place = storePlace(store, listen);
  if (place === IN_MEMORY) throw new PincerError('OPTION_INVALID', '--store must name a directory');
  return place;
}

/** The store at that place; none for memory, which every gateway has of its own. */
export async function storeAt(place: string, limits: Partial<Limits>): Promise<{ store?: Store }> {
  if (place === IN_MEMORY) return {};
  const { lmdbStore } = await import('../store.ts');
  return { store: lmdbStore(place, { limits }) };
}
