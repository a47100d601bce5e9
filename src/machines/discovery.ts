/**
 * One discovery source: off → searching → watching, and degraded (backoff) whenever it has nothing to go by. A source
 * may mend itself while it is degraded; otherwise it is started anew after the backoff.
 */
import { assign, emit, setup } from 'xstate';
import { maxIterations } from './options.ts';

/** Failures beyond this many no longer lengthen the backoff. */
const failuresMax = 16;

export interface DiscoveryContext {
  /** Failures since the source last said what it knows, at most `failuresMax`. */
  readonly failures: number;
}

export type DiscoveryEvent =
  | { type: 'discovery.start' }
  | { type: 'source.ready' }
  | { type: 'source.failed' }
  | { type: 'deadline.passed' }
  | { type: 'discovery.stop' };

export type DiscoveryCommand =
  | { type: 'source.open' }
  | { type: 'source.close' }
  | { type: 'search.limit' }
  | { type: 'backoff.start'; failures: number };

export const discoveryMachine = setup({
  types: { context: {} as DiscoveryContext, events: {} as DiscoveryEvent, emitted: {} as DiscoveryCommand },
  actions: {
    openSource: emit({ type: 'source.open' } satisfies DiscoveryCommand),
    closeSource: emit({ type: 'source.close' } satisfies DiscoveryCommand),
    limitSearch: emit({ type: 'search.limit' } satisfies DiscoveryCommand),
    startBackoff: emit(
      ({ context }) => ({ type: 'backoff.start', failures: context.failures }) satisfies DiscoveryCommand,
    ),
    countFailure: assign({ failures: ({ context }) => Math.min(context.failures + 1, failuresMax) }),
    forgetFailures: assign({ failures: 0 }),
  },
}).createMachine({
  id: 'discovery',
  context: { failures: 0 },
  initial: 'off',
  options: { maxIterations },
  on: { 'discovery.stop': '.stopped' },
  states: {
    off: { on: { 'discovery.start': 'searching' } },
    searching: {
      description: 'Started; has not said yet what it knows.',
      entry: ['limitSearch', 'openSource'],
      on: { 'source.ready': 'watching', 'source.failed': 'degraded', 'deadline.passed': 'degraded' },
    },
    watching: {
      entry: 'forgetFailures',
      on: { 'source.failed': 'degraded' },
    },
    degraded: {
      description: 'Cannot see; what was known stays known. The source is started anew after a jittered backoff.',
      entry: ['countFailure', 'startBackoff'],
      on: { 'source.ready': 'watching', 'deadline.passed': 'searching' },
    },
    stopped: { type: 'final', entry: 'closeSource' },
  },
});
