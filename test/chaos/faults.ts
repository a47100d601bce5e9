/** What is done to a fleet, drawn from a seed. Every fault ends by itself; somebody is always left who can work. */
import type { Random } from '../../src/protocol/ports.ts';
import type { Fleet } from './fleet.ts';
import type { Member } from './member.ts';
import type { Weather, Wire } from './wire.ts';

/** One fault, and how it is undone. */
export interface Fault {
  readonly name: string;
  readonly victim: string;
  /** How long until it is undone. */
  readonly lastsMs: number;
  strike(): void | Promise<void>;
  undo(): unknown;
}

export interface FaultOptions {
  /** Whether gateways may be killed: only where their store outlives them. */
  readonly killsGateways: boolean;
}

/** What links go through: a name, the weather, and for how long at most. */
const WEATHERS: readonly (readonly [name: string, weather: Partial<Weather>, lastsMsMax: number])[] = [
  ['link deaf one way', { out: 'lost' }, 6_000],
  ['link deaf the other way', { back: 'lost' }, 6_000],
  ['link half-open', { out: 'held', back: 'held' }, 6_000],
  ['link slow', { delayMs: 300 }, 3_000],
];

/** The next fault, or null if everybody who may be struck already is. */
export function drawFault(
  fleet: Fleet,
  dice: Random,
  struck: ReadonlySet<string>,
  options: FaultOptions,
): Fault | null {
  const below = (limit: number): number => Math.floor(dice() * limit);
  const between = (least: number, most: number): number => Math.round(least + dice() * (most - least));
  const oneOf = <Item>(items: readonly Item[]): Item | undefined => items[below(items.length)];
  const free = (members: readonly Member[], leftMin: number): Member[] => {
    const well = members.filter(({ name, isUp }) => isUp && !struck.has(name));
    return well.length > leftMin ? well : [];
  };
  // One that is alone may be struck, too: then everybody waits for it.
  const leftMin = fleet.gateways.length > 1 ? 1 : 0;
  const draws: (() => Fault | null)[] = [
    () => killed(oneOf(free(fleet.nodes, 1)), between(100, 2_000)),
    () => stopped(oneOf(free(fleet.nodes, 1)), between(500, 4_000)),
    () => cut(fleet, oneOf([...fleet.wires.keys()])),
    () => {
      const name = oneOf([...fleet.wires.keys()].filter((each) => !struck.has(each)));
      const [what, weather, lastsMsMax] = oneOf(WEATHERS) ?? ['link slow', {}, 1_000];
      return name === undefined
        ? null
        : weathered(what, name, fleet.wires.get(name) ?? [], weather, between(500, lastsMsMax));
    },
    () => (options.killsGateways ? killed(oneOf(free(fleet.gateways, leftMin)), between(100, 2_000)) : null),
    // Longer than a lease, so that it comes back as one that was given up.
    () =>
      stopped(oneOf(free(fleet.gateways, leftMin)), options.killsGateways ? between(500, 5_000) : between(200, 1_500)),
  ];
  const first = below(draws.length);
  for (let turn = 0; turn < draws.length; turn += 1) {
    const fault = draws[(first + turn) % draws.length]?.() ?? null;
    if (fault !== null) return fault;
  }
  return null;
}

function killed(member: Member | undefined, lastsMs: number): Fault | null {
  if (member === undefined) return null;
  return {
    name: `${member.kind} killed`,
    victim: member.name,
    lastsMs,
    strike: () => member.kill(),
    undo: () => member.start(),
  };
}

function stopped(member: Member | undefined, lastsMs: number): Fault | null {
  if (member === undefined) return null;
  return {
    name: `${member.kind} stopped`,
    victim: member.name,
    lastsMs,
    strike: () => member.stop(),
    undo: () => member.continue(),
  };
}

function cut(fleet: Fleet, name: string | undefined): Fault | null {
  if (name === undefined) return null;
  const strike = (): void => {
    for (const wire of fleet.wires.get(name) ?? []) wire.cut();
  };
  return { name: 'link cut', victim: name, lastsMs: 0, strike, undo: () => {} };
}

function weathered(
  name: string,
  victim: string,
  wires: readonly Wire[],
  weather: Partial<Weather>,
  lastsMs: number,
): Fault {
  return {
    name,
    victim,
    lastsMs,
    strike: () => {
      for (const wire of wires) wire.turn(weather);
    },
    undo: () => {
      for (const wire of wires) wire.heal();
    },
  };
}
