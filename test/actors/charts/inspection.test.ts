/** Whom an inspector is told of, for ends that a running cluster does not show. */
import { expect, it } from 'vitest';
import { type InspectionEvent, setup } from 'xstate';
import { createHost } from '../../../src/actors/charts/actor-host.ts';
import { inspect } from '../../../src/actors/charts/inspection.ts';
import { startActor } from '../../../src/actors/charts/start-actor.ts';
import { silentLog } from '../../../src/actors/world/world.ts';
import { gatewayMachine } from '../../../src/machines/gateway.ts';
import { defaultLimits } from '../../../src/protocol/limits.ts';

const brittle = setup({
  types: { events: {} as { type: 'bend' } | { type: 'end' } },
  guards: {
    holds: () => {
      throw new Error('it broke');
    },
  },
}).createMachine({
  id: 'brittle',
  initial: 'whole',
  states: { whole: { on: { bend: { guard: 'holds', target: 'gone' }, end: 'gone' } }, gone: { type: 'final' } },
});

it.each(['compiled', 'interpreted'] as const)('makes room when one fails, is dropped or ends (%s)', (charts) => {
  const parent = startActor(gatewayMachine, { charts, id: 'root', onCommand() {}, onError() {} });
  const host = createHost(brittle, {
    ...{ charts, parent, id: 'brittle-ones' },
    owner: { onCommand() {}, onDone() {}, onError() {} },
  });
  const told = new Set<string>();
  inspect(parent, (event: InspectionEvent) => told.add((event.actorRef as unknown as { id: string }).id), {
    limits: { ...defaultLimits, inspectedMax: 1 },
    log: silentLog,
  });
  host.spawn('fails', undefined);
  host.tell('fails', { type: 'bend' });
  host.spawn('dropped', undefined);
  host.spawn('beside', undefined);
  host.drop('dropped');
  host.spawn('ends', undefined);
  host.tell('ends', { type: 'end' });
  host.spawn('last', undefined);
  const ids = ['fails', 'dropped', 'beside', 'ends', 'last'];
  expect(ids.filter((id) => told.has(id))).toEqual(['fails', 'dropped', 'ends', 'last']);
});
