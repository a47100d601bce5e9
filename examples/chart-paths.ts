/** Paths through a chart of one’s own, covering every state and transition: what Pincer does with its own charts. */
import { assertCovered, pathsOf } from 'pincer/testing';
import { setup } from 'xstate';

const door = setup({
  types: { events: {} as { type: 'door.open' } | { type: 'door.close' } | { type: 'door.lock' } },
}).createMachine({
  id: 'door',
  initial: 'closed',
  states: {
    closed: { on: { 'door.open': 'open', 'door.lock': 'locked' } },
    open: { on: { 'door.close': 'closed' } },
    locked: { type: 'final' },
  },
});

const paths = pathsOf(door, { events: { 'door.open': [{}], 'door.close': [{}], 'door.lock': [{}] } });
assertCovered(door, paths);
console.log(`${paths.length} paths cover every state and transition`);
