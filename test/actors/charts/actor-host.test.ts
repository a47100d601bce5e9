/** Many short lives under one parent: what is made is reaped, and what throws fails alone. */
import { afterEach, describe, expect, it, vi } from 'vitest';
import { Actor, type AnyActor, assign, createActor, createMachine, emit, setup } from 'xstate';
import { createHost, type HostOwner } from '../../../src/actors/charts/actor-host.ts';
import type { Charts } from '../../../src/actors/charts/charts.ts';
import { startActor } from '../../../src/actors/charts/start-actor.ts';
import { gatewayMachine } from '../../../src/machines/gateway.ts';
import { testCharts } from '../../support/charts.ts';
import { runAlone } from '../../support/lone-process.ts';

const lifeMachine = setup({
  types: {
    input: {} as { name: string },
    context: {} as { name: string; steps: number },
    events: {} as { type: 'step' } | { type: 'leap' } | { type: 'end' } | { type: 'burst' },
    emitted: {} as { type: 'stepped'; steps: number },
  },
  actions: {
    count: assign({ steps: ({ context }) => context.steps + 1 }),
    tell: emit(({ context }) => ({ type: 'stepped' as const, steps: context.steps })),
    burst: () => {
      throw new Error('the chart is broken');
    },
  },
}).createMachine({
  id: 'life',
  context: ({ input }) => ({ name: input.name, steps: 0 }),
  initial: 'living',
  options: { maxIterations: 100 },
  states: {
    living: {
      on: {
        step: { actions: ['count', 'tell'] },
        leap: { actions: ['count', 'tell', 'count', 'tell', 'count', 'tell'] },
        burst: {
          actions: assign(() => {
            throw new Error('the chart is broken');
          }),
        },
        end: 'ended',
      },
    },
    ended: { type: 'final' },
  },
});

function hosted(charts: Charts, onCommand: HostOwner<typeof lifeMachine>['onCommand'] = () => {}) {
  const heard: string[] = [];
  const onDone = vi.fn<(id: string) => void>();
  const parent = startActor(gatewayMachine, {
    charts,
    id: 'parent',
    onCommand: () => {},
    onError: () => heard.push('parent failed'),
  });
  const host = createHost(lifeMachine, {
    charts,
    parent,
    id: 'lives',
    owner: {
      onCommand(id, command) {
        heard.push(`${id} ${command.type} ${command.steps}`);
        onCommand(id, command);
      },
      onDone(id) {
        heard.push(`${id} done`);
        onDone(id);
      },
      onError: (id, error) => heard.push(`${id} failed: ${(error as Error).message}`),
    },
  });
  return { host, heard, parent, onDone };
}

afterEach(() => {
  vi.restoreAllMocks();
});

describe.each(['compiled', 'interpreted'] as const)('a host of charts that are %s', (charts) => {
  it('passes on commands, reaps what is done and forgets what is dropped', () => {
    const { host, heard } = hosted(charts);
    for (const id of ['a', 'b']) host.spawn(id, { name: id });
    expect(() => host.spawn('a', { name: 'a' })).toThrow(/'a' exists already/);
    expect(host.tell('a', { type: 'step' })).toBe(true);
    host.tell('a', { type: 'end' });
    expect(host.tell('a', { type: 'step' })).toBe(false);
    expect([host.has('a'), host.size, host.snapshot('b')?.value]).toEqual([false, 1, 'living']);
    host.drop('b');
    expect([host.size, heard]).toEqual([0, ['a stepped 1', 'a done']]);
  });

  it('outlives a chart that throws: its actor alone has failed', () => {
    const { host, heard, parent } = hosted(charts);
    for (const id of ['a', 'b']) host.spawn(id, { name: id });
    host.tell('a', { type: 'burst' });
    host.tell('b', { type: 'step' });
    expect(heard).toEqual(['a failed: the chart is broken', 'b stepped 1']);
    expect([host.size, parent.getSnapshot().status]).toEqual([1, 'active']);
  });

  it('takes a command that cannot be carried out for a failure of its actor, not of the process', () => {
    const { host, heard } = hosted(charts, (id) => {
      if (id === 'a') throw new Error('no such thing');
    });
    for (const id of ['a', 'b']) host.spawn(id, { name: id });
    host.tell('a', { type: 'step' });
    host.tell('b', { type: 'step' });
    expect(heard).toEqual(['a stepped 1', 'a failed: no such thing', 'b stepped 1']);
    expect(host.has('a')).toBe(false);
  });

  it('takes no more commands of an actor once one could not be carried out', () => {
    const { host, heard } = hosted(charts, (_id, { steps }) => {
      if (steps === 2) throw new Error('no third step');
    });
    host.spawn('a', { name: 'a' });
    host.tell('a', { type: 'leap' });
    expect(heard).toEqual(['a stepped 1', 'a stepped 2', 'a failed: no third step']);
    expect(host.has('a')).toBe(false);
  });

  it('may be asked for the next actor, and for its first step, when one ends', () => {
    const { host, heard, onDone } = hosted(charts);
    onDone.mockImplementationOnce(() => {
      host.spawn('a', { name: 'the next' });
      expect(host.tell('a', { type: 'step' })).toBe(true);
    });
    host.spawn('a', { name: 'a' });
    host.tell('a', { type: 'end' });
    expect(heard).toEqual(['a done', 'a stepped 1']);
    expect(host.snapshot('a')?.context.name).toBe('the next');
  });

  it('is told of one end after another, in their order', () => {
    const { host, heard, onDone } = hosted(charts);
    for (const id of ['a', 'b', 'c']) host.spawn(id, { name: id });
    onDone.mockImplementationOnce(() => {
      host.tell('b', { type: 'burst' });
      host.tell('c', { type: 'end' });
      heard.push(`b is ${host.has('b') ? 'there' : 'gone'}`);
    });
    host.tell('a', { type: 'end' });
    expect(heard).toEqual(['a done', 'b is there', 'b failed: the chart is broken', 'c done']);
    expect(host.size).toBe(0);
  });

  it('has failed itself when its owner cannot bear an end', () => {
    const { host, heard, onDone } = hosted(charts);
    onDone.mockImplementationOnce(() => {
      throw new Error('too much');
    });
    host.spawn('a', { name: 'a' });
    host.tell('a', { type: 'end' });
    expect(heard).toEqual(['a done', 'parent failed']);
  });

  it('shows each actor and all its doings to an inspector, as a child of its own', () => {
    const { host, parent } = hosted(charts);
    const seen: string[] = [];
    parent.system.inspect((told) => {
      const { id, _parent } = told.actorRef as unknown as { id: string; _parent?: { id: string } };
      const what = 'action' in told ? told.action.type : 'event' in told ? told.event.type : '';
      seen.push(`${_parent?.id}/${id} ${told.type} ${what}`.trim());
    });
    host.spawn('a', { name: 'a' });
    host.tell('a', { type: 'step' });
    expect(seen).toEqual([
      'lives/a @xstate.actor',
      'lives/a @xstate.event xstate.init',
      'lives/a @xstate.snapshot xstate.init',
      'lives/a @xstate.event step',
      'lives/a @xstate.action xstate.emit',
      'lives/a @xstate.microstep step',
      'lives/a @xstate.snapshot step',
    ]);
  });

  it('shows an inspector what happens from its coming until its going', () => {
    const { host, parent, heard } = hosted(charts);
    const seen: string[] = [];
    const inspect = (name: string) =>
      parent.system.inspect((told) => {
        if (told.type === '@xstate.event') seen.push(`${name}: ${told.event.type}`);
      });
    host.spawn('a', { name: 'a' });
    const first = inspect('first');
    host.tell('a', { type: 'step' });
    const second = inspect('second');
    first.unsubscribe();
    first.unsubscribe();
    host.tell('a', { type: 'end' });
    second.unsubscribe();
    host.spawn('b', { name: 'b' });
    host.tell('b', { type: 'end' });
    expect(seen).toEqual(['first: step', 'second: end', 'second: xstate.done.actor.a']);
    expect(heard).toEqual(['a stepped 1', 'a done', 'b done']);
  });

  it('shows all to an inspector of a system that was there before anybody counted them', () => {
    const seen = new Set<string>();
    const parent = createActor(createMachine({}), { inspect: ({ type }) => seen.add(type) });
    const heard: string[] = [];
    const onDone = (id: string): number => heard.push(`${id} done`);
    const owner = { onCommand: () => {}, onDone, onError: () => {} };
    const host = createHost(lifeMachine, { charts, parent, id: 'lives', owner });
    seen.clear();
    host.spawn('a', { name: 'a' });
    host.tell('a', { type: 'end' });
    expect([...seen].sort()).toEqual(['@xstate.actor', '@xstate.event', '@xstate.microstep', '@xstate.snapshot']);
    expect(heard).toEqual(['a done']);
  });

  it('has actors that are xstate’s own to whoever subscribes to one', () => {
    const { host, parent } = hosted(charts);
    let actor: Actor<typeof lifeMachine> | undefined;
    const inspection = parent.system.inspect((told) => {
      actor = told.actorRef as Actor<typeof lifeMachine>;
    });
    host.spawn('a', { name: 'a' });
    inspection.unsubscribe();
    const seen: unknown[] = [];
    actor?.subscribe({
      next: ({ value, context }) => seen.push([value, context.steps]),
      complete: () => seen.push('complete'),
    });
    actor?.send({ type: 'step' });
    expect(actor).toBeInstanceOf(Actor);
    expect(JSON.parse(JSON.stringify(actor))).toEqual({ xstate$$type: 1, id: 'a' });
    expect(actor?.getPersistedSnapshot()).toMatchObject({ status: 'active', value: 'living', context: { steps: 1 } });
    host.tell('a', { type: 'end' });
    expect(seen).toEqual([['living', 1], ['ended', 1], 'complete']);
    expect([actor?.getSnapshot().status, host.has('a')]).toEqual(['done', false]);
  });

  it('tells whoever subscribes to an actor of its failure', () => {
    const { host, parent, heard } = hosted(charts);
    const seen: unknown[] = [];
    const inspection = parent.system.inspect((told) => {
      if (told.type === '@xstate.actor') (told.actorRef as AnyActor).subscribe({ error: (error) => seen.push(error) });
    });
    host.spawn('a', { name: 'a' });
    inspection.unsubscribe();
    host.tell('a', { type: 'burst' });
    expect(seen).toEqual([new Error('the chart is broken')]);
    expect(heard).toEqual(['a failed: the chart is broken']);
  });
});

describe('a host of compiled charts that nobody inspects', () => {
  it('makes nothing for inspectors, and hears of ends without an event', () => {
    const { host, heard, parent } = hosted('compiled');
    const system = parent.system as unknown as { _sendInspectionEvent(told: object): void; _relay(): void };
    const [told, relayed] = [vi.spyOn(system, '_sendInspectionEvent'), vi.spyOn(system, '_relay')];
    host.spawn('a', { name: 'a' });
    host.tell('a', { type: 'step' });
    host.tell('a', { type: 'end' });
    expect(heard).toEqual(['a stepped 1', 'a done']);
    expect([told.mock.calls, relayed.mock.calls]).toEqual([[], []]);
  });
});

describe('a host of very many', () => {
  it('holds 50 000 live actors', () => {
    const { host, heard } = hosted(testCharts);
    for (let n = 0; n < 50_000; n += 1) host.spawn(`life-${n}`, { name: 'one of many' });
    expect(host.size).toBe(50_000);
    for (let n = 0; n < 50_000; n += 1) host.tell(`life-${n}`, { type: 'end' });
    expect([host.size, heard.length]).toEqual([0, 50_000]);
  }, 60_000);

  it('keeps nothing of 200 000 that are done', async () => {
    const { code, stdout, stderr } = await runAlone(`const charts = '${testCharts}';\n${HEAP}`, ['--expose-gc']);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    const [early = 0, late = 0] = (JSON.parse(stdout) as number[]).map(Number);
    // Bytes for each of the 150 000 in between; a leaked actor would be some 3 000.
    expect((late - early) / 150_000).toBeLessThan(20);
  }, 240_000);
});

/** Prints how much heap is in use after 50 000 and after 200 000 completed tasks. */
const HEAP = `
import { createHost } from './src/actors/charts/actor-host.ts';
import { startActor } from './src/actors/charts/start-actor.ts';
import { gatewayMachine } from './src/machines/gateway.ts';
import { taskMachine } from './src/machines/task.ts';
const parent = startActor(gatewayMachine, { charts, id: 'parent', onCommand() {}, onError() {} });
const host = createHost(taskMachine, { charts, parent, id: 'tasks', owner: { onCommand() {}, onDone() {}, onError() {} } });
const sizes = [];
for (let n = 1; n <= 200_000; n += 1) {
  const id = 'task-' + n;
  host.spawn(id, { taskId: id, attempt: 0, failures: 0, crashes: 0, attemptsMax: 3, crashesMax: 5, isDelayed: false });
  host.tell(id, { type: 'task.placed', nodeId: 'n', attempt: 1 });
  host.tell(id, { type: 'attempt.started' });
  host.tell(id, { type: 'attempt.succeeded', result: new Uint8Array(1), runMs: 1 });
  host.tell(id, { type: 'outcome.stored' });
  if (host.size !== 0) throw new Error('not reaped');
  if (n === 50_000 || n === 200_000) { gc(); gc(); sizes.push(process.memoryUsage().heapUsed); }
}
console.log(JSON.stringify(sizes));
`;

describe('a singleton', () => {
  it('hears nothing once it has ended, and neither does the console', () => {
    const warned = vi.spyOn(console, 'warn');
    const commands: string[] = [];
    const root = startActor(gatewayMachine, {
      charts: testCharts,
      id: 'root',
      onCommand: ({ type }) => commands.push(type),
      onError: () => {},
    });
    const child = startActor(gatewayMachine, {
      charts: testCharts,
      id: 'child',
      parent: root,
      onCommand: () => {},
      onError: () => {},
    });
    root.send({ type: 'gateway.stop' });
    root.send({ type: 'store.opened' });
    child.send({ type: 'gateway.stop' });
    expect(commands).toEqual(['store.open', 'gateway.shut']);
    expect(warned).not.toHaveBeenCalled();
  });

  it('whose command throws reports that as its own error', () => {
    const errors: unknown[] = [];
    startActor(gatewayMachine, {
      charts: testCharts,
      id: 'root',
      onCommand: () => {
        throw new Error('no store');
      },
      onError: (error) => errors.push(error),
    });
    expect(errors).toEqual([new Error('no store')]);
  });
});
