/**
 * Runs the discovery chart for one source. A source is contained: whatever it does, throws, rejects or floods its owner
 * with, what leaves here is a bounded number of checked changes, and a state with a reason.
 */
import type { Actor, AnyActorRef } from 'xstate';
import { type DiscoveryCommand, discoveryMachine } from '../../machines/discovery.ts';
import { backoffMs } from '../../machines/policies/retry.ts';
import { PincerError, toFailure } from '../../protocol/failure.ts';
import { plainText } from '../../protocol/identifier.ts';
import { unexpected } from '../../protocol/unexpected.ts';
import { type CandidateChange, CandidateSet } from '../../transport/discovery/candidate-set.ts';
import type {
  Candidate,
  CandidateKind,
  DiscoverySource,
  Self,
  SourceEvents,
  SourceRun,
} from '../../transport/discovery/source.ts';
import { TokenBucket } from '../../transport/token-bucket.ts';
import { startActor } from '../charts/start-actor.ts';
import type { Deadline } from '../world/deadlines.ts';
import type { World } from '../world/world.ts';

/** Where a discovery stands. `degraded` has a reason, and what was known before stays known. */
export type DiscoveryState = 'off' | 'searching' | 'watching' | 'degraded' | 'stopped';

/** What a discovery tells: candidates that come, change or go, and each change of its state. */
export type DiscoveryNews =
  | CandidateChange
  | { readonly type: 'state'; readonly state: DiscoveryState; readonly reason: PincerError | null };

/** One source that is being watched. */
export interface Discovery {
  /** The kind of its source. */
  readonly kind: string;
  readonly state: DiscoveryState;
  /** Why it is degraded, or was before it began to search again; null once it watches. */
  readonly reason: PincerError | null;
  /** What is known at present, in the order in which it came. */
  readonly candidates: readonly Candidate[];
  /** How much was left out so far: malformed, over a limit, not to be trusted. */
  readonly dropped: number;
  /** Begins to look. Nothing happens the second time, or after `stop`. */
  start(): void;
  /** Takes back what was announced and lets go of everything; never rejects. No news after it was called. Idempotent. */
  stop(): Promise<void>;
}

export function createDiscovery(
  world: World,
  options: {
    readonly source: DiscoverySource;
    /** Whom to announce and not to discover. Asked at each start of the source. */
    readonly self?: (() => Self | null) | undefined;
    /** Who is looked for: others take none of the room that there is for candidates. Default: all. */
    readonly type?: CandidateKind | undefined;
    readonly onNews: (news: DiscoveryNews) => void;
    readonly parent?: AnyActorRef | undefined;
  },
): Discovery {
  const { clock, random, limits, deadlines, log } = world;
  const { source, onNews, parent, type } = options;
  const kind = plainText(String(source.kind), 64);
  let known: CandidateSet | null = null;
  let said: readonly unknown[] = [];
  let run: { events: SourceEvents; stop(): Promise<void> } | null = null;
  let reason: PincerError | null = null;
  let dropped = 0;
  let state: DiscoveryState = 'off';
  let wait: Deadline | null = null;
  let settling: Deadline | null = null;
  let isStopping = false;
  let end = (): void => {};
  const ended = new Promise<void>((resolve) => {
    end = resolve;
  });
  const closings = new Set<Promise<void>>();
  // One token a change: a burst fills an empty set at once, and what flaps is slowed down.
  const changes = new TokenBucket(limits.discoveryChangesPerSecondMax, clock.now(), limits.discoveryCandidatesMax);

  const actor: Actor<typeof discoveryMachine> = startActor(discoveryMachine, {
    charts: world.charts,
    id: `discovery-${kind}`,
    ...(parent === undefined ? {} : { parent }),
    onCommand: carryOut,
    onError: (error) => log.error('discovery.crashed', { source: kind, error: String(error) }),
  });
  actor.subscribe((snapshot) => enter(snapshot.value as DiscoveryState));

  function carryOut(command: DiscoveryCommand): void {
    switch (command.type) {
      case 'source.open':
        open();
        break;
      case 'source.close':
        close();
        break;
      case 'search.limit':
        wake(limits.discoverySearchMs, () => {
          const waited = `has not said anything within ${limits.discoverySearchMs} ms`;
          reason = new PincerError('DISCOVERY_FAILED', `${kind} ${waited}`);
        });
        break;
      case 'backoff.start': {
        const backoff = { baseMs: limits.discoveryRetryMinMs, maxMs: limits.discoveryRetryMaxMs };
        wake(backoffMs(command.failures, backoff, random()));
        break;
      }
      default:
        unexpected(command);
    }
  }

  function wake(delayMs: number, before: () => void = () => {}): void {
    wait?.clear();
    wait = deadlines.set(delayMs, () => {
      before();
      actor.send({ type: 'deadline.passed' });
    });
  }

  function open(): void {
    closeRun();
    const events: SourceEvents = {
      onCandidates(candidates) {
        if (run?.events !== events) return;
        if (!Array.isArray(candidates)) return fail(new TypeError('it did not name a list of candidates'));
        said = type === undefined ? candidates : candidates.filter((one) => one?.type === type);
        reason = null;
        actor.send({ type: 'source.ready' });
        settle();
      },
      onFault(error) {
        if (run?.events === events) fail(error);
      },
      onDropped(why) {
        if (run?.events === events) drop(1, String(why));
      },
    };
    let started: SourceRun | null = null;
    run = { events, stop: async () => started?.stop() };
    try {
      const self = options.self?.() ?? null;
      known ??= new CandidateSet(limits.discoveryCandidatesMax, self?.nodeId ?? null);
      started = source.start(events, { clock, random, limits, self });
      // It may have been stopped by what it said while it started.
      if (run?.events !== events) contain(started);
    } catch (error) {
      fail(error);
    }
  }

  function fail(error: unknown): void {
    const { code, message } = toFailure(error, 'DISCOVERY_FAILED');
    reason = new PincerError(code, plainText(`${kind}: ${message}`, 500), { cause: error });
    actor.send({ type: 'source.failed' });
  }

  function settle(): void {
    if (known === null || settling !== null || isStopping) return;
    const { changes: made, isComplete, dropped: left } = known.settle(said, limits.discoveryCandidatesMax);
    if (left > 0) drop(left, 'not a candidate, or one too many');
    for (const change of made) tell(change);
    const pauseMs = changes.take(made.length, clock.now());
    if (pauseMs === 0 && isComplete) return;
    settling = deadlines.set(pauseMs, () => {
      settling = null;
      settle();
    });
  }

  function drop(count: number, why: string): void {
    dropped += count;
    log.debug('discovery.dropped', { source: kind, count, why: plainText(why) });
  }

  function enter(next: DiscoveryState): void {
    if (next === state) return;
    state = next;
    if (next === 'watching' || next === 'stopped') {
      reason = null;
      wait?.clear();
    }
    log.info('discovery.state', { source: kind, state: next, code: reason?.code, message: reason?.message });
    tell({ type: 'state', state: next, reason });
  }

  function tell(news: DiscoveryNews): void {
    if (isStopping) return;
    try {
      onNews(news);
    } catch (error) {
      log.error('discovery.listener.threw', { source: kind, error: String(error) });
    }
  }

  function close(): void {
    wait?.clear();
    settling?.clear();
    closeRun();
    void Promise.all(closings).then(() => end());
  }

  function closeRun(): void {
    const ending = run;
    run = null;
    if (ending !== null) contain(ending);
  }

  /** Stops a run; whatever that does, it is over after `closeMs`. */
  function contain(ending: Pick<SourceRun, 'stop'>): void {
    const closing = new Promise<void>((resolve) => {
      const late = deadlines.set(limits.closeMs, () => {
        log.warn('discovery.stop.late', { source: kind, afterMs: limits.closeMs });
        resolve();
      });
      const done = (): void => {
        late.clear();
        resolve();
      };
      Promise.resolve()
        .then(() => ending.stop())
        .then(done, (error: unknown) => {
          log.warn('discovery.stop.failed', { source: kind, error: String(error) });
          done();
        });
    }).then(() => {
      closings.delete(closing);
    });
    closings.add(closing);
  }

  return {
    kind,
    get state() {
      return state;
    },
    get reason() {
      return reason;
    },
    get candidates() {
      return known?.candidates ?? [];
    },
    get dropped() {
      return dropped;
    },
    start() {
      actor.send({ type: 'discovery.start' });
    },
    stop() {
      if (!isStopping) {
        isStopping = true;
        actor.send({ type: 'discovery.stop' });
      }
      return ended;
    },
  };
}
