/** What every gateway, node and client is given: the ports, its limits, its deadlines. Nothing here is global. */
import { limitsOf } from '../../protocol/limit-relations.ts';
import type { Limits } from '../../protocol/limits.ts';
import { checkPort, type Names } from '../../protocol/options.ts';
import type { Clock, Ids, Log, Random } from '../../protocol/ports.ts';
import { Departures } from '../../transport/departures.ts';
import { type Charts, chartsOf } from '../charts/charts.ts';
import { createDeadlines, type Deadlines } from './deadlines.ts';

export interface World {
  readonly clock: Clock;
  readonly random: Random;
  readonly ids: Ids;
  readonly log: Log;
  readonly charts: Charts;
  readonly limits: Limits;
  readonly deadlines: Deadlines;
  readonly departures: Departures;
}

/** The ports and limits an embedder may supply. Each defaults to the real one. */
export interface WorldOptions {
  /** Time. Default: the system’s monotonic clock. Tests pass a simulated one. */
  readonly clock?: Clock;
  /** Randomness in [0, 1), for jitter. Default: Math.random. */
  readonly random?: Random;
  /** Fresh ids. Default: crypto.randomUUID. */
  readonly ids?: Ids;
  /** One line per state change worth waking for. Default: silent. */
  readonly log?: Log;
  /** How charts are run: `compiled`, or `interpreted` by xstate, which is slower and otherwise the same. Default `compiled`. */
  readonly charts?: 'compiled' | 'interpreted';
  /** Limits that differ from the defaults of docs/limits.md. */
  readonly limits?: Partial<Limits>;
}

export const WORLD_OPTIONS: Names<WorldOptions> = {
  clock: true,
  random: true,
  ids: true,
  log: true,
  charts: true,
  limits: true,
};

/** Of what a gateway or a channel was given, what it hands on to a client or node of its own. */
export function worldOptionsOf(options: WorldOptions): WorldOptions {
  return Object.fromEntries(Object.entries(options).filter(([name]) => Object.hasOwn(WORLD_OPTIONS, name)));
}

/**
 * @throws PincerError `OPTION_INVALID` for an unknown limit, one that is not a number ≥ 0 or that contradicts another, for an
 *   unknown `charts`, and for a clock or log that lacks a function.
 */
export function createWorld(
  options: WorldOptions,
  defaults: Required<Pick<WorldOptions, 'clock' | 'random' | 'ids'>>,
): World {
  const clock = options.clock ?? defaults.clock;
  const log = options.log ?? silentLog;
  checkPort(clock, 'clock', ['now', 'wallTime', 'schedule', 'soon']);
  checkPort(log, 'log', ['debug', 'info', 'warn', 'error']);
  return {
    clock,
    random: options.random ?? defaults.random,
    ids: options.ids ?? defaults.ids,
    log,
    charts: chartsOf(options.charts),
    limits: limitsOf(options.limits),
    deadlines: createDeadlines(clock),
    departures: new Departures(clock),
  };
}

export const silentLog: Log = { debug() {}, info() {}, warn() {}, error() {} };
