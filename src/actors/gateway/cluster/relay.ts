/**
 * How a watcher on one gateway learns of a task whose attempt another one has: that one tells the gateway that took the
 * submit, and those that asked to be told. All of it hints; besides, what is watched here and not held here is asked
 * after in the store, now and then.
 */
import type { Payload } from '../../../protocol/message.ts';
import { TokenBucket } from '../../../transport/token-bucket.ts';
import type { TaskRecord } from '../../store/store.ts';
import type { World } from '../../world/world.ts';
import type { Tasks } from '../tasks/tasks.ts';
import type { Watchers } from '../tasks/watchers.ts';
import type { Bus } from './bus.ts';

export interface RelayOptions {
  readonly bus: Bus;
  readonly tasks: Tasks;
  readonly watchers: Watchers;
  readonly gatewayId: () => string;
  /** Tells the watchers of a task, if it has ended or there is none. */
  tellIfSettled(taskId: string): Promise<void>;
  onStoreFailed(error: unknown): void;
}

/** Who is told of one task that runs here. */
interface Interest {
  readonly gateways: Set<string>;
  /** The gateway that took its submit has said that nobody there wants its progress. */
  isOriginDeaf: boolean;
}

export class Relay {
  readonly #world: World;
  readonly #options: RelayOptions;
  readonly #interests = new Map<string, Interest>();
  readonly #progress: TokenBucket;
  /** Ids of settled tasks to tell, by gateway, gathered for a turn. */
  #settled = new Map<string, string[]>();
  /** Tasks of other gateways that are watched here, by the gateway that has them. */
  #wanted = new Map<string, string[]>();
  /** Rounds for which no other gateway has been there. */
  #alone = 0;
  /** Progress that was not passed on for being too much, for the counters. */
  progressDropped = 0;

  constructor(world: World, options: RelayOptions) {
    const { bus, tasks, watchers } = options;
    this.#world = world;
    this.#options = options;
    this.#progress = new TokenBucket(world.limits.relayedPerSecondMax, world.clock.now());
    bus.on('settled', (body) => {
      for (const taskId of textsOf(body)) if (watchers.has(taskId)) void this.#look(taskId);
    });
    bus.on('watch', (body, from) => {
      for (const taskId of textsOf(body)) this.#interestIn(taskId).gateways.add(from);
    });
    bus.on('deaf', (body, from) => {
      for (const taskId of textsOf(body)) {
        const interest = this.#interestIn(taskId);
        interest.gateways.delete(from);
        interest.isOriginDeaf = true;
      }
    });
    bus.on('cancel', (body) => {
      for (const taskId of textsOf(body)) tasks.tell(taskId, { type: 'task.cancel' });
      tasks.flush();
    });
    bus.on('progress', (body, from) => {
      const report = body as Payload<'task_progress'>;
      if (!watchers.has(report.taskId)) bus.tell(from, 'deaf', [report.taskId]);
      for (const watcher of watchers.of(report.taskId)) watcher.send('task_progress', report);
    });
  }

  /** Asks after what is watched here and not held here, now and then, until the deadlines stop. */
  watch(): void {
    this.#world.deadlines.set(this.#world.limits.watchPollMs, () => {
      this.#askAfterAll()
        .catch((error: unknown) => this.#options.onStoreFailed(error))
        .finally(() => this.watch());
    });
  }

  /** A task has settled here: those who do not watch it here are told. */
  settled(taskId: string, origin: string | null): void {
    const { bus, gatewayId } = this.#options;
    const interest = this.#interests.get(taskId);
    this.#interests.delete(taskId);
    if (bus.others.size === 0) return;
    const gateways = new Set(interest?.gateways);
    if (origin !== null && origin !== gatewayId()) gateways.add(origin);
    for (const gateway of gateways) this.#gather(this.#settled, gateway, taskId);
  }

  /** An attempt that runs here reports. */
  progress(report: Payload<'task_progress'>, origin: string | null): void {
    const { bus } = this.#options;
    if (bus.others.size === 0) return;
    const interest = this.#interests.get(report.taskId);
    const gateways = new Set(interest?.gateways);
    if (origin !== null && interest?.isOriginDeaf !== true) gateways.add(origin);
    for (const gateway of gateways) {
      if (!bus.others.has(gateway)) continue;
      if (this.#progress.take(1, this.#world.clock.now()) === 0) bus.tell(gateway, 'progress', report);
      else {
        this.#progress.take(-1, this.#world.clock.now());
        this.progressDropped += 1;
      }
    }
  }

  /** A task is watched here that has not settled: whoever has it is to tell of it. */
  want({ taskId, owner }: TaskRecord): void {
    if (owner !== null && this.#options.bus.others.has(owner)) this.#gather(this.#wanted, owner, taskId);
  }

  /** A task is to be cancelled whose attempt another gateway has. It finds out by itself, a little later. */
  cancel({ taskId, owner }: TaskRecord): void {
    if (owner !== null) this.#options.bus.tell(owner, 'cancel', [taskId]);
  }

  async #askAfterAll(): Promise<void> {
    const { bus, tasks, watchers } = this.#options;
    this.#alone = bus.others.size > 0 ? 0 : this.#alone + 1;
    // One that has just gone may have settled what nobody has told.
    if (this.#alone > 2) return;
    const taskIds = [...watchers.all()].filter((taskId) => tasks.recordOf(taskId) === undefined);
    for (let start = 0; start < taskIds.length; start += AT_ONCE) {
      await Promise.all(taskIds.slice(start, start + AT_ONCE).map((taskId) => this.#look(taskId)));
    }
  }

  async #look(taskId: string): Promise<void> {
    try {
      await this.#options.tellIfSettled(taskId);
    } catch (error) {
      this.#options.onStoreFailed(error);
    }
  }

  #gather(notes: Map<string, string[]>, gateway: string, taskId: string): void {
    if (this.#settled.size === 0 && this.#wanted.size === 0) this.#world.clock.soon(() => this.#send());
    const taskIds = notes.get(gateway);
    if (taskIds === undefined) notes.set(gateway, [taskId]);
    else taskIds.push(taskId);
  }

  #send(): void {
    const settled = this.#settled;
    const wanted = this.#wanted;
    this.#settled = new Map();
    this.#wanted = new Map();
    const { listMax } = this.#world.limits;
    for (const [kind, notes] of [['settled', settled] as const, ['watch', wanted] as const]) {
      for (const [gateway, taskIds] of notes) {
        for (let start = 0; start < taskIds.length; start += listMax) {
          this.#options.bus.tell(gateway, kind, taskIds.slice(start, start + listMax));
        }
      }
    }
  }

  #interestIn(taskId: string): Interest {
    const known = this.#interests.get(taskId);
    if (known !== undefined) return known;
    // The oldest makes room: its watcher asks again with its next look.
    const [oldest] = this.#interests.keys();
    if (this.#interests.size >= this.#world.limits.watchMax && oldest !== undefined) this.#interests.delete(oldest);
    const interest = { gateways: new Set<string>(), isOriginDeaf: false };
    this.#interests.set(taskId, interest);
    return interest;
  }
}

/** Tasks asked after at the same time. */
const AT_ONCE = 100;

function textsOf(body: unknown): string[] {
  return Array.isArray(body) ? body.filter((item) => typeof item === 'string') : [];
}
