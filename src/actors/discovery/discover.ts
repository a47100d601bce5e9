/** Watches a discovery source on its own, without a gateway or a node. */
import { checkOptions, checkPort, type Names } from '../../protocol/options.ts';
import type { DiscoverySource, Self } from '../../transport/discovery/source.ts';
import { realPorts } from '../world/real-ports.ts';
import { createWorld, WORLD_OPTIONS, type WorldOptions } from '../world/world.ts';
import { createDiscovery, type Discovery, type DiscoveryNews } from './discovery.ts';

/** What `discover` takes beside the source. */
export interface DiscoverOptions extends WorldOptions {
  /** Whom to announce and not to discover. Default: nobody. */
  readonly self?: Self | undefined;
  /** Told of every candidate that comes, changes or goes, and of every change of state. */
  readonly onNews?: ((news: DiscoveryNews) => void) | undefined;
}

const DISCOVER_OPTIONS: Names<DiscoverOptions> = { self: true, onNews: true, ...WORLD_OPTIONS };

/** Starts to watch a source. Candidates are hints: nothing they say has been proved. */
export function discover(source: DiscoverySource, options: DiscoverOptions = {}): Discovery {
  checkPort(source, 'discover: source', ['start']);
  checkOptions(options, 'discover', 'options, or nothing', DISCOVER_OPTIONS);
  const { self, onNews = () => {} } = options;
  const world = createWorld(options, realPorts());
  const discovery = createDiscovery(world, { source, self: () => self ?? null, onNews });
  discovery.start();
  return {
    get kind() {
      return discovery.kind;
    },
    get state() {
      return discovery.state;
    },
    get reason() {
      return discovery.reason;
    },
    get candidates() {
      return discovery.candidates;
    },
    get dropped() {
      return discovery.dropped;
    },
    start: () => discovery.start(),
    async stop() {
      await discovery.stop();
      world.deadlines.stop();
    },
  };
}
