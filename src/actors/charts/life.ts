/**
 * An actor of a host of very many: xstate’s own `Actor`, for a third of what one costs. What every event needs is here; what
 * only somebody who looks at the actor needs (observers, listeners, options) is made when it is looked for, and used by
 * xstate’s own methods. To its chart and to inspectors it is what `createActor` gives: a test compares the two. While nobody
 * inspects, nothing is made for inspectors, and its end is told to its host without an event. It is not registered with its
 * system, whose Map of actors nobody can read and each would have to pass through (transit-map.ts).
 */
import { Actor, type AnyActorRef, type AnyEventObject, type AnyMachineSnapshot, type AnyStateMachine } from 'xstate';
import type { Onlookers } from './onlookers.ts';

/** Who hears what a chart emits. What it throws ends the actor. */
export interface LifeOwner {
  onCommand(id: string, command: unknown): void;
}

/** The chart of an actor has reached its final state, or has failed. */
export interface End {
  readonly id: string;
  readonly failure?: { readonly error: unknown } | undefined;
}

interface LifeOptions {
  readonly parent: AnyActorRef;
  readonly id: string;
  readonly input: unknown;
  readonly owner: LifeOwner;
  /** Called when it is over and nobody inspects; else its parent gets an event, as in xstate. */
  readonly onEnd: (end: End) => void;
  readonly onlookers: Onlookers;
}

/** What the system of xstate does for its actors, beside what its types show. Its version is pinned. */
interface System {
  readonly _logger: unknown;
  readonly _clock: unknown;
  readonly scheduler: { cancelAll(actor: object): void };
  _bookId(): string;
  _relay(source: object | undefined, target: object, event: AnyEventObject): void;
  _sendInspectionEvent(event: object): void;
}

interface Action {
  readonly type: string;
  readonly info: unknown;
  readonly params: unknown;
  readonly exec?: (info: unknown, params: unknown) => void;
}

/** Of `Actor`, what is done for those who look on. */
const lookedAt = Actor.prototype as unknown as { _complete(): void; _reportError(error: unknown): void };

/** As xstate numbers them. */
const NOT_STARTED = 0;
const RUNNING = 1;
const STOPPED = 2;

/**
 * What waits until its transition is over, of all lives: commands, and other doings as functions. A step of one life is
 * within that of another only as one call is within another, so each takes what lies above the place where it began.
 */
const deferred: unknown[] = [];

export class Life {
  readonly id: string;
  readonly sessionId: string;
  readonly logic: AnyStateMachine;
  readonly system: System;
  readonly _parent: AnyActorRef;
  _snapshot: AnyMachineSnapshot;
  _processingStatus = NOT_STARTED;
  _doneEvent: AnyEventObject | undefined = undefined;
  readonly #input: unknown;
  readonly #owner: LifeOwner;
  readonly #onEnd: (end: End) => void;
  readonly #onlookers: Onlookers;
  /** Its first commands, until it is started. */
  #first: unknown[] | null = null;
  #isBusy = false;
  #waiting: AnyEventObject[] | null = null;
  #observers: Set<{ next?(snapshot: unknown): void }> | null = null;
  #listeners: Map<string, unknown> | null = null;

  constructor(logic: AnyStateMachine, { parent, id, input, owner, onEnd, onlookers }: LifeOptions) {
    const system = parent.system as unknown as System;
    this.logic = logic;
    this.id = id;
    this.system = system;
    this.sessionId = system._bookId();
    this._parent = parent;
    this.#input = input;
    this.#owner = owner;
    this.#onEnd = onEnd;
    this.#onlookers = onlookers;
    if (this.isInspected) system._sendInspectionEvent({ type: '@xstate.actor', actorRef: this });
    const from = deferred.length;
    try {
      this._snapshot = logic.getInitialSnapshot(this as never, input) as AnyMachineSnapshot;
    } catch (error) {
      this._snapshot = { status: 'error', output: undefined, error } as unknown as AnyMachineSnapshot;
    }
    if (deferred.length > from) this.#first = deferred.splice(from);
  }

  /** False: nobody is told of its steps. */
  get isInspected(): boolean {
    return this.#onlookers.count > 0;
  }

  start(): void {
    const { system, logic } = this;
    const from = deferred.length;
    if (this.#first !== null) deferred.push(...this.#first);
    this.#first = null;
    this.#isBusy = true;
    this._processingStatus = RUNNING;
    const event = { type: 'xstate.init', input: this.#input };
    if (this.isInspected) {
      system._sendInspectionEvent({ type: '@xstate.event', sourceRef: this._parent, actorRef: this, event });
    }
    const { status } = this._snapshot;
    if (status === 'error') {
      deferred.length = from;
      this._error(this._snapshot.error);
      return;
    }
    if (status === 'active') logic.start?.(this._snapshot);
    this.#update(this._snapshot, event, from);
    this.#workOff();
  }

  /** What the system would do with it, were it asked to pass it on. */
  send(event: AnyEventObject): void {
    if (this.isInspected) {
      this.system._sendInspectionEvent({ type: '@xstate.event', sourceRef: undefined, actorRef: this, event });
    }
    this._send(event);
  }

  /** An event from the system. One that comes within a step waits for the next. */
  _send(event: AnyEventObject): void {
    if (this._processingStatus === STOPPED) return;
    if (this.#isBusy || this._processingStatus === NOT_STARTED) {
      this.#waiting ??= [];
      this.#waiting.push(event);
      return;
    }
    this.#isBusy = true;
    this.#process(event);
    this.#workOff();
  }

  _stop(): this {
    if (this._processingStatus === STOPPED) return this;
    this.#waiting = null;
    if (this._processingStatus === NOT_STARTED) this._processingStatus = STOPPED;
    else this._send({ type: 'xstate.stop' });
    return this;
  }

  #workOff(): void {
    while (this.#waiting !== null) {
      const event = this.#waiting.shift();
      if (event === undefined || this._processingStatus === STOPPED) this.#waiting = null;
      else this.#process(event);
    }
    this.#isBusy = false;
  }

  #process(event: AnyEventObject): void {
    const from = deferred.length;
    let next: AnyMachineSnapshot;
    try {
      next = this.logic.transition(this._snapshot, event as never, this as never) as AnyMachineSnapshot;
    } catch (error) {
      deferred.length = from;
      this._snapshot = { ...this._snapshot, status: 'error', error } as AnyMachineSnapshot;
      this._error(error);
      return;
    }
    this.#update(next, event, from);
    if (event.type === 'xstate.stop') {
      this._stopProcedure();
      this._complete();
    }
  }

  #update(snapshot: AnyMachineSnapshot, event: AnyEventObject, from: number): void {
    this._snapshot = snapshot;
    if (deferred.length > from) this.#carryOut(snapshot, from);
    const { status } = this._snapshot;
    if (status === 'error') this._error(this._snapshot.error);
    else if (status === 'active' || status === 'done') {
      if (this.#observers !== null) this.#tellObservers(snapshot);
      if (status === 'done') this.#end();
    }
    if (this.isInspected) {
      this.system._sendInspectionEvent({ type: '@xstate.snapshot', actorRef: this, event, snapshot });
    }
  }

  #carryOut(snapshot: AnyMachineSnapshot, from: number): void {
    try {
      // More may come while these are done.
      for (let index = from; index < deferred.length; index += 1) {
        const next = deferred[index];
        if (typeof next === 'function') next();
        else this.#owner.onCommand(this.id, next);
      }
    } catch (error) {
      this._snapshot = { ...snapshot, status: 'error', error } as AnyMachineSnapshot;
    }
    deferred.length = from;
  }

  #tellObservers(snapshot: AnyMachineSnapshot): void {
    for (const observer of this.observers) {
      try {
        observer.next?.(snapshot);
      } catch (error) {
        // As xstate does: the one who looks on has failed, not the actor.
        queueMicrotask(() => {
          throw error;
        });
      }
    }
  }

  #end(): void {
    const { id } = this;
    this._stopProcedure();
    this._complete();
    if (!this.isInspected) {
      this.#onEnd({ id });
      return;
    }
    this._doneEvent = { type: `xstate.done.actor.${id}`, output: this._snapshot.output, actorId: id };
    this.system._relay(this, this._parent, this._doneEvent);
  }

  _error(error: unknown): void {
    const { id } = this;
    this._stopProcedure();
    if (this.#isLookedAt) lookedAt._reportError.call(this, error);
    if (this.isInspected) {
      this.system._relay(this, this._parent, { type: `xstate.error.actor.${id}`, error, actorId: id });
    } else this.#onEnd({ id, failure: { error } });
  }

  _stopProcedure(): void {
    if (this._processingStatus !== RUNNING) return;
    this.system.scheduler.cancelAll(this);
    this.#waiting = null;
    this._processingStatus = STOPPED;
  }

  _complete(): void {
    if (this.#isLookedAt) lookedAt._complete.call(this);
  }

  get #isLookedAt(): boolean {
    return this.#observers !== null || this.#listeners !== null;
  }

  // What a chart is given beside its events: `ActorScope`.

  get self(): this {
    return this;
  }

  get logger(): unknown {
    return this.system._logger;
  }

  defer(doing: () => void): void {
    deferred.push(doing);
  }

  emit(command: unknown): void {
    this.#owner.onCommand(this.id, command);
  }

  stopChild(child: { readonly id: string; _parent?: unknown; _stop(): void }): void {
    if (child._parent !== this) {
      throw new Error(`Cannot stop child actor ${child.id} of ${this.id} because it is not a child`);
    }
    child._stop();
  }

  actionExecutor({ type, info, params, exec }: Action): void {
    const run = (): void => {
      this.system._sendInspectionEvent({ type: '@xstate.action', actorRef: this, action: { type, params } });
      exec?.(info, params);
    };
    if (this._processingStatus === RUNNING) run();
    else deferred.push(run);
  }

  /** What the executor makes of an `emit`, in one go. */
  emitLater(event: unknown): void {
    if (this._processingStatus === RUNNING) {
      if (this.isInspected) {
        const action = { type: 'xstate.emit', params: { event } };
        this.system._sendInspectionEvent({ type: '@xstate.action', actorRef: this, action });
      }
      deferred.push(event);
    } else {
      const exec = (): void => this.defer(() => this.emit(event));
      this.actionExecutor({ type: 'xstate.emit', info: undefined, params: { event }, exec });
    }
  }

  // What only those who look at an actor ask for.

  get ref(): this {
    return this;
  }

  get src(): AnyStateMachine {
    return this.logic;
  }

  get options(): object {
    return { id: this.id, parent: this._parent, input: this.#input };
  }

  get clock(): unknown {
    return this.system._clock;
  }

  get _actorScope(): this {
    return this;
  }

  get observers(): Set<{ next?(snapshot: unknown): void }> {
    this.#observers ??= new Set();
    return this.#observers;
  }

  get eventListeners(): Map<string, unknown> {
    this.#listeners ??= new Map();
    return this.#listeners;
  }
}

// `subscribe`, `getSnapshot`, `select` and the rest are xstate’s: only the constructor, which makes all of it, is passed by.
Object.setPrototypeOf(Life.prototype, Actor.prototype);
