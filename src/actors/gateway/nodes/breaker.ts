/**
 * The breaker of one node: counts the faults that are its own, says when there are too many, how long it then rests, and
 * which attempt is on trial after that. The states are those of the node chart.
 */
import { type Fault, faultKindOf, NO_FAULTS, restMs, withFault } from '../../../machines/policies/faults.ts';
import type { Failure } from '../../../protocol/failure.ts';
import { type AttemptRef, plainText } from '../../../protocol/identifier.ts';
import type { Deadline } from '../../world/deadlines.ts';
import type { World } from '../../world/world.ts';

/** What of the chart the breaker is about. */
type BreakerEvent = { type: 'breaker.opened' } | { type: 'breaker.closed' } | { type: 'rest.passed' };

export class Breaker {
  readonly #world: World;
  readonly #tell: (event: BreakerEvent) => void;
  /** As the chart says. */
  state: 'closed' | 'open' | 'halfOpen' = 'closed';
  #row = NO_FAULTS;
  #trips = 0;
  #lastFault = '';
  #probe: string | null = null;
  #rest: Deadline | null = null;
  #restsUntil = 0;

  constructor(world: World, tell: (event: BreakerEvent) => void) {
    this.#world = world;
    this.#tell = tell;
  }

  /** Faults since the last success. */
  get faults(): number {
    return this.#row.count;
  }

  /** Whether an attempt is on trial. */
  get isProbed(): boolean {
    return this.#probe !== null;
  }

  /** Milliseconds until it has rested; null unless it is open. */
  get restsForMs(): number | null {
    return this.state === 'open' ? Math.max(0, Math.round(this.#restsUntil - this.#world.clock.now())) : null;
  }

  /** Why it is open or on trial, in words; null if it is closed. */
  get reason(): string | null {
    if (this.state === 'closed') return null;
    const trial = this.state === 'open' ? `tries one attempt in ${this.restsForMs} ms` : 'one attempt is to show';
    return `breaker ${this.state === 'open' ? 'open' : 'half open'}: ${this.#lastFault}; ${trial}`;
  }

  /** A failure of an attempt by its node. It may not count: then nothing happens. */
  fault(failure: Failure, taskIds: readonly string[]): void {
    const kind = faultKindOf(failure.code);
    if (kind === null) return;
    const { limits, log } = this.#world;
    const fault: Fault = { kind, taskIds, nowMs: this.#world.clock.now() };
    const before = this.#row;
    this.#row = withFault(before, fault, limits);
    if (this.state === 'open') return;
    const isProbeOver = this.state === 'halfOpen' && taskIds.some((taskId) => taskId === this.#probe);
    if (this.#row.count < limits.breakerFaultsMax && !isProbeOver) return;
    const count = isProbeOver ? 'the attempt on trial failed too' : `${this.#row.count} faults in a row`;
    this.#lastFault = `${count}, the last ${failure.code}, ${plainText(failure.message, 200)}`;
    this.#row = NO_FAULTS;
    this.#probe = null;
    this.#trips += 1;
    log.warn('breaker.opened', { failure: failure.code, trips: this.#trips });
    this.#tell({ type: 'breaker.opened' });
  }

  /** An attempt was worked on, however it ended. */
  prove(): void {
    this.#row = NO_FAULTS;
    if (this.state === 'closed') this.#trips = 0;
    else if (this.state === 'halfOpen') {
      this.#probe = null;
      this.#world.log.info('breaker.closed', {});
      this.#tell({ type: 'breaker.closed' });
    }
  }

  /** An attempt is placed: while the breaker is half open it is the one on trial. */
  take({ taskId }: AttemptRef): void {
    if (this.state === 'halfOpen') this.#probe = taskId;
  }

  /** An attempt holds its slot no more: the trial may have ended without a verdict. */
  free({ taskId }: AttemptRef): void {
    if (this.#probe === taskId) this.#probe = null;
  }

  /** The node has a new session: what was on trial is not known to be there. */
  forgetProbe(): void {
    this.#probe = null;
  }

  /** The node begins to rest. */
  rest(): void {
    const spanMs = restMs(this.#trips, this.#world.limits, this.#world.random());
    this.#rest?.clear();
    this.#restsUntil = this.#world.clock.now() + spanMs;
    this.#rest = this.#world.deadlines.set(spanMs, () => this.#tell({ type: 'rest.passed' }));
  }

  /** An operator says that it is well, or the node is forgotten. */
  reset(): void {
    this.#rest?.clear();
    this.#row = NO_FAULTS;
    this.#trips = 0;
    this.#probe = null;
  }
}
