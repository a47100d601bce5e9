/** A gateway’s own life: starting → recovering → serving → draining → stopped. */
import { emit, setup } from 'xstate';
import { maxIterations } from './options.ts';

export type GatewayEvent =
  | { type: 'store.opened' }
  | { type: 'store.failed' }
  | { type: 'work.recovered' }
  | { type: 'gateway.drain' }
  | { type: 'gateway.stop' }
  | { type: 'attempts.ended' }
  | { type: 'deadline.passed' };

export type GatewayCommand =
  | { type: 'store.open' }
  | { type: 'work.recover' }
  | { type: 'gateway.listen' }
  | { type: 'drain.start' }
  | { type: 'gateway.shut' };

export const gatewayMachine = setup({
  types: { context: {} as object, events: {} as GatewayEvent, emitted: {} as GatewayCommand },
  actions: {
    openStore: emit({ type: 'store.open' } satisfies GatewayCommand),
    recoverWork: emit({ type: 'work.recover' } satisfies GatewayCommand),
    listen: emit({ type: 'gateway.listen' } satisfies GatewayCommand),
    startDrain: emit({ type: 'drain.start' } satisfies GatewayCommand),
    shut: emit({ type: 'gateway.shut' } satisfies GatewayCommand),
  },
}).createMachine({
  id: 'gateway',
  context: {},
  initial: 'starting',
  options: { maxIterations },
  on: { 'gateway.stop': '.stopped' },
  states: {
    starting: {
      description: 'Opens the store.',
      entry: 'openStore',
      on: { 'store.opened': 'recovering', 'store.failed': 'stopped', 'gateway.drain': 'stopped' },
    },
    recovering: {
      description: 'Joins the store and learns what waits.',
      entry: 'recoverWork',
      on: { 'work.recovered': 'serving', 'store.failed': 'stopped', 'gateway.drain': 'stopped' },
    },
    serving: { entry: 'listen', on: { 'gateway.drain': 'draining' } },
    draining: {
      description: 'Takes no submits and places nothing; running attempts may finish.',
      entry: 'startDrain',
      on: { 'attempts.ended': 'stopped', 'deadline.passed': 'stopped' },
    },
    stopped: { type: 'final', entry: 'shut' },
  },
});
