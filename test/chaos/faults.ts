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

/** The kinds of faults as a deck of cards: each is dealt once before any comes again. */
export class FaultDeck {
  readonly #fleet: Fleet;
  readonly #dice: Random;
  readonly #killsGateways: boolean;
  #cards: (() => Fault | null)[] = [];
  #struck: ReadonlySet<string> = new Set();

  constructor(fleet: Fleet, dice: Random, { killsGateways }: FaultOptions) {
    this.#fleet = fleet;
    this.#dice = dice;
    this.#killsGateways = killsGateways;
  }

  /** The next fault that strikes nobody who is struck already, or null if there is none now. */
  deal(struck: ReadonlySet<string>): Fault | null {
    this.#struck = struck;
    if (this.#cards.length === 0) this.#cards = this.#shuffled();
    for (let turn = this.#cards.length; turn > 0; turn -= 1) {
      const card = this.#cards.shift();
      const fault = card?.() ?? null;
      if (fault !== null) return fault;
      if (card !== undefined) this.#cards.push(card);
    }
    return null;
  }

  #shuffled(): (() => Fault | null)[] {
    const { gateways, nodes } = this.#fleet;
    // One that is alone may be struck, too: then everybody waits for it.
    const leftMin = gateways.length > 1 ? 1 : 0;
    const cards: (() => Fault | null)[] = [
      () => killed(this.#oneFree(nodes, 1), this.#between(100, 2_000)),
      () => stopped(this.#oneFree(nodes, 1), this.#between(500, 4_000)),
      () => cut(this.#fleet, this.#oneOf([...this.#fleet.wires.keys()])),
      () => this.#weather(),
      // A second one, as there are several kinds of weather.
      () => this.#weather(),
      // Longer than a lease, so that it comes back as one that was given up.
      () =>
        stopped(
          this.#oneFree(gateways, leftMin),
          this.#killsGateways ? this.#between(500, 5_000) : this.#between(200, 1_500),
        ),
    ];
    if (this.#killsGateways) cards.push(() => killed(this.#oneFree(gateways, leftMin), this.#between(100, 2_000)));
    const keyed = cards.map((card) => ({ card, key: this.#dice() }));
    return keyed.sort((one, other) => one.key - other.key).map(({ card }) => card);
  }

  #weather(): Fault | null {
    const { wires } = this.#fleet;
    const name = this.#oneOf([...wires.keys()].filter((each) => !this.#struck.has(each)));
    const [what, weather, lastsMsMax] = this.#oneOf(WEATHERS) ?? ['link slow', {}, 1_000];
    if (name === undefined) return null;
    return weathered(what, name, wires.get(name) ?? [], weather, this.#between(500, lastsMsMax));
  }

  #oneFree(members: readonly Member[], leftMin: number): Member | undefined {
    const well = members.filter(({ name, isUp }) => isUp && !this.#struck.has(name));
    return well.length > leftMin ? this.#oneOf(well) : undefined;
  }

  #oneOf<Item>(items: readonly Item[]): Item | undefined {
    return items[Math.floor(this.#dice() * items.length)];
  }

  #between(least: number, most: number): number {
    return Math.round(least + this.#dice() * (most - least));
  }
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
