/** What every gateway, node and client is given: the ports, its limits, its deadlines. Nothing here is global. */
import { PincerError } from '../protocol/failure.ts';
import { checkRelations } from '../protocol/limit-relations.ts';
import { defaultLimits, type LimitName, type Limits } from '../protocol/limits.ts';
import { checkPort } from '../protocol/options.ts';
import type { Clock, Ids, Log, Random } from '../protocol/ports.ts';
import { Departures } from '../transport/departures.ts';
import { type Charts, chartsOf } from './charts.ts';
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
    limits: withDefaults(options.limits ?? {}),
    deadlines: createDeadlines(clock),
    departures: new Departures(clock),
  };
}

export const silentLog: Log = { debug() {}, info() {}, warn() {}, error() {} };

function withDefaults(given: Partial<Limits>): Limits {
  for (const [name, value] of Object.entries(given)) {
    if (!Object.hasOwn(defaultLimits, name)) throw new PincerError('OPTION_INVALID', `limits.${name} is not a limit`);
    if (value !== undefined && !(typeof value === 'number' && value >= 0)) {
      throw new PincerError('OPTION_INVALID', `limits.${name} is ${String(value)}, must be a number of at least 0`);
    }
  }
  const set = Object.entries(given).filter(([, value]) => value !== undefined) as [LimitName, number][];
  const limits = Object.freeze({ ...defaultLimits, ...Object.fromEntries(set) });
  checkRelations(limits);
  return limits;
}
