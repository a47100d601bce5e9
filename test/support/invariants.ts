/**
 * What holds for each chart whatever happens to it, in whatever order: checked after every generated path and after
 * every random sequence of events.
 */
import { expect } from 'vitest';
import type { ChartName } from '../../src/machines/index.ts';

/** One event and what came of it; the first turn is the start, without an event. */
export interface Turn {
  readonly event: { readonly type: string } | null;
  readonly value: string;
  readonly context: Readonly<Record<string, unknown>>;
  readonly commands: readonly Command[];
}

type Command = { readonly type: string } & Readonly<Record<string, unknown>>;

export const invariants: Readonly<Record<ChartName, (turns: readonly Turn[]) => void>> = {
  task(turns) {
    const types = typesOf(turns);
    expect(count(types, 'task.settle'), 'outcomes').toBeLessThanOrEqual(1);
    const settled = types.indexOf('task.settle');
    if (settled >= 0) expect(types.slice(settled + 1), 'commands after the outcome').toEqual([]);
    let last = 0;
    for (const { event, commands } of turns) {
      for (const command of named(commands, 'attempt.assign')) {
        expect(event, 'what an assignment follows').toMatchObject({ type: 'task.placed', attempt: command['attempt'] });
        expect(command['attempt'], 'the attempt of an assignment').toBeGreaterThan(last);
        last = Number(command['attempt']);
      }
    }
    expect(count(types, 'attempt.withdraw'), 'withdrawals').toBeLessThanOrEqual(placements(turns));
    expect(count(types, 'task.release'), 'releases').toBeLessThanOrEqual(placements(turns));
    const { attemptsMax, crashesMax } = lastOf(turns).context as { attemptsMax: number; crashesMax: number };
    const releases = named(commandsOf(turns), 'task.release');
    expect(releases.filter(({ costs }) => costs === 'failure').length, 'failures').toBeLessThan(attemptsMax);
    expect(releases.filter(({ costs }) => costs === 'crash').length, 'crashes').toBeLessThan(crashesMax);
    for (const { nodeId, attempt } of releases)
      expect([nodeId, attempt], 'who held it').toEqual([expect.any(String), expect.any(Number)]);
  },

  attempt(turns) {
    const types = typesOf(turns);
    const isOver = ['reporting', 'settled'].includes(lastOf(turns).value);
    expect(count(types, 'slot.free'), 'slots freed').toBe(isOver ? 1 : 0);
    expect(count(types, 'report.result'), 'reports').toBeLessThanOrEqual(1);
    expect(count(types, 'report.ended'), 'ends reported').toBeLessThanOrEqual(1);
    expect(count(types, 'report.started'), 'starts reported').toBeLessThanOrEqual(1);
    expect(count(types, 'handler.abort'), 'aborts').toBeLessThanOrEqual(1);
    if (types.includes('report.ended')) {
      expect(named(commandsOf(turns), 'report.result')[0], 'the report before the end').toMatchObject({
        isOverdue: true,
      });
    }
    turns.forEach(({ event, commands }, index) => {
      if (named(commands, 'slot.free').length === 0 || turns[index - 1]?.value === 'received') return;
      expect(['handler.returned', 'handler.threw'], 'what frees the slot of a handler').toContain(event?.type);
    });
  },

  scheduler(turns) {
    let underWay = 0;
    for (const { event, commands } of turns) {
      if (event?.type === 'claim.returned' || event?.type === 'claim.failed') underWay = Math.max(0, underWay - 1);
      underWay += count(typesOf([{ commands }]), 'work.claim');
      expect(underWay, 'claims under way').toBeLessThanOrEqual(1);
    }
    const end = turns.findIndex(({ value }) => value === 'draining' || value === 'stopped');
    if (end >= 0) expect(typesOf(turns.slice(end)), 'claims of a draining scheduler').toEqual([]);
  },

  node(turns) {
    const types = typesOf(turns);
    expect(count(types, 'node.removed'), 'removals').toBeLessThanOrEqual(1);
    let isOffered = false;
    let isLost = false;
    for (const { value, context, commands } of turns) {
      for (const { type } of commands) {
        if (type === 'node.available') [isOffered, isLost] = [true, false];
        // It may come back to a rest, or to a trial that waits until it lags no more.
        if (type === 'node.rest') isLost = false;
        if (type === 'node.withheld') isOffered = false;
        if (type !== 'node.lost') continue;
        expect(isLost, 'lost twice').toBe(false);
        isLost = true;
      }
      if (value === 'online') expect(isOffered, 'an online node may get work').toBe(true);
      if (['unhealthy', 'tripped', 'draining', 'offline', 'removed'].includes(value))
        expect(isOffered, `a node that is ${value}`).toBe(false);
      if (context['isLagging'] === true) expect(isOffered, 'a node that lags').toBe(false);
      expect(isLost, 'lost exactly while it is gone').toBe(value === 'offline' || value === 'removed');
    }
  },

  'node-life'(turns) {
    const types = typesOf(turns);
    for (const once of ['drain.start', 'attempts.hand-back', 'node.leave'])
      expect(count(types, once), once).toBeLessThanOrEqual(1);
    expect(types.includes('node.leave'), 'it leaves when it stops').toBe(lastOf(turns).value === 'stopped');
    if (types.includes('node.leave')) expect(types.at(-1)).toBe('node.leave');
    const drained = turns.findIndex(({ value }) => value === 'draining');
    const announced = named(commandsOf(turns.slice(Math.max(0, drained))), 'node.announce').map(({ status }) => status);
    if (drained >= 0) expect(new Set(announced), 'what a draining node says of itself').toEqual(new Set(['offline']));
  },

  session(turns) {
    const types = typesOf(turns);
    expect(count(types, 'session.opened'), 'openings').toBeLessThanOrEqual(1);
    expect(count(types, 'session.closed'), 'ends').toBeLessThanOrEqual(1);
    const said = types.filter((type) => type.startsWith('session.'));
    if (said.length > 0) expect(said[0]).toBe('session.opened');
    if (said.includes('session.closed')) expect(types.at(-1)).toBe('session.closed');
    const isOver = lastOf(turns).value === 'closed';
    expect(count(types, 'session.closed'), 'every session that opened is closed').toBe(
      isOver && said.length > 0 ? 1 : 0,
    );
  },

  link(turns) {
    const ups = typesOf(turns).filter((type) => type === 'link.up' || type === 'link.down');
    expect(ups, 'up and down take turns').toEqual(ups.map((_, index) => (index % 2 === 0 ? 'link.up' : 'link.down')));
    expect(ups.at(-1) === 'link.up', 'up exactly while connected').toBe(lastOf(turns).value === 'connected');
    for (const { tries } of named(commandsOf(turns), 'backoff.start')) {
      expect(tries, 'tries').toBeGreaterThanOrEqual(1);
      expect(tries, 'tries').toBeLessThanOrEqual(16);
    }
    if (['closed', 'refused', 'waiting'].includes(lastOf(turns).value))
      expect(typesOf(turns)).toContain('link.hang-up');
  },

  gateway(turns) {
    const types = typesOf(turns);
    const order = ['store.open', 'work.recover', 'gateway.listen', 'drain.start', 'gateway.shut'];
    expect(types, 'each step once, in order').toEqual(order.filter((type) => types.includes(type)));
    expect(types.includes('gateway.shut'), 'it is shut when it stops').toBe(lastOf(turns).value === 'stopped');
  },

  discovery(turns) {
    const types = typesOf(turns);
    expect(count(types, 'source.close'), 'closed once, when it stops').toBe(lastOf(turns).value === 'stopped' ? 1 : 0);
    if (types.includes('source.close')) expect(types.at(-1)).toBe('source.close');
    expect(count(types, 'search.limit'), 'every search has an end').toBe(count(types, 'source.open'));
    if (lastOf(turns).value !== 'off' && lastOf(turns).value !== 'stopped') expect(types).toContain('source.open');
    for (const { failures } of named(commandsOf(turns), 'backoff.start')) {
      expect(failures, 'failures').toBeGreaterThanOrEqual(1);
      expect(failures, 'failures').toBeLessThanOrEqual(16);
    }
  },

  channel(turns) {
    const types = typesOf(turns);
    const { value } = lastOf(turns);
    const doors = types.filter((type) => type === 'platform.open' || type === 'platform.close');
    const isOpen = doors.at(-1) === 'platform.open';
    expect(isOpen, 'open without the lease').toBe(['opening', 'open', 'draining'].includes(value));
    doors.forEach((door, index) => {
      if (door === 'platform.open')
        expect(doors[index - 1] ?? 'platform.close', 'before it opens').toBe('platform.close');
    });
    expect(count(types, 'channel.leave'), 'leaves once, when it stops').toBe(value === 'stopped' ? 1 : 0);
    if (value === 'stopped') expect(types.slice(-2)).toEqual(['platform.close', 'channel.leave']);
    expect(count(types, 'drain.start'), 'drains').toBeLessThanOrEqual(1);
    for (const { failures } of named(commandsOf(turns), 'backoff.start')) {
      expect(failures, 'failures').toBeGreaterThanOrEqual(1);
      expect(failures, 'failures').toBeLessThanOrEqual(16);
    }
  },
};

function commandsOf(turns: readonly Pick<Turn, 'commands'>[]): Command[] {
  return turns.flatMap(({ commands }) => commands);
}

function typesOf(turns: readonly Pick<Turn, 'commands'>[]): string[] {
  return commandsOf(turns).map(({ type }) => type);
}

function named(commands: readonly Command[], type: string): Command[] {
  return commands.filter((command) => command.type === type);
}

function count(types: readonly string[], type: string): number {
  return types.filter((other) => other === type).length;
}

/** How often the task came to a node. */
function placements(turns: readonly Turn[]): number {
  return turns.filter(({ event, value }, index) => {
    const isComing = event?.type === 'task.placed' || event?.type === 'task.adopted';
    return isComing && turns[index - 1]?.value === 'pending' && value !== 'pending';
  }).length;
}

function lastOf(turns: readonly Turn[]): Turn {
  const last = turns.at(-1);
  if (last === undefined) throw new Error('a life has at least its start');
  return last;
}
