/**
 * Fetches updates, one batch after the other, and forgets each only once the gateway has it: what is not taken is fetched
 * again, by this instance or the next.
 */
import type { Update } from 'grammy/types';
import { backoffMs } from '../../machines/policies/retry.ts';
import { toFailure } from '../../protocol/failure.ts';
import type { Inlet, PlatformWorld } from '../platform.ts';
import { type BotApi, describe, errorCodeOf, explain, retryAfterMsOf } from './bot-api.ts';
import { inboundOf } from './telegram-message.ts';

/** Another poller has the updates: that does not change within a second. */
const CONFLICT_FACTOR = 5;
/** How long the last word to Telegram may take: it spares the next instance what this one has had. */
const FAREWELL_MS = 2_000;

export interface PollerOptions {
  readonly inlet: Inlet;
  isLetIn(chat: number, user: number | undefined): boolean;
  /** A group has become a supergroup, which has another id. */
  onMoved(from: number, to: number): void;
}

export class Poller {
  readonly #api: BotApi;
  readonly #world: PlatformWorld;
  readonly #options: PollerOptions;
  readonly #abort = new AbortController();
  readonly #ended: Promise<void>;
  #offset = 0;
  #failures = 0;

  constructor(api: BotApi, world: PlatformWorld, options: PollerOptions) {
    this.#api = api;
    this.#world = world;
    this.#options = options;
    this.#ended = this.#run().catch((error: unknown) => options.inlet.failed(explain(error)));
  }

  /** Fetches no more; resolves when what was fetched has been taken or left. Idempotent. */
  async stop(): Promise<void> {
    const isFirst = !this.#abort.signal.aborted;
    this.#abort.abort();
    await this.#ended;
    if (!isFirst || this.#offset === 0) return;
    const farewell = new AbortController();
    const cancel = this.#world.clock.schedule(FAREWELL_MS, () => farewell.abort());
    // Fetching from an offset is how Telegram is told that what is before it has arrived.
    await this.#api
      .getUpdates({ offset: this.#offset, limit: 1, timeout: 0 }, farewell.signal as never)
      .catch(() => {});
    cancel();
  }

  async #run(): Promise<void> {
    const { clock, limits } = this.#world;
    const { signal } = this.#abort;
    while (!signal.aborted) {
      const askedAt = clock.now();
      const updates = await this.#fetch();
      if (updates === null) return;
      for (const update of updates) {
        if (!(await this.#offer(update))) return;
        this.#offset = update.update_id + 1;
      }
      const tookMs = clock.now() - askedAt;
      if (updates.length === 0 && tookMs < limits.telegramIdleMs) await this.#wait(limits.telegramIdleMs - tookMs);
    }
  }

  /** The next updates, none if they cannot be fetched just now; null: there will be none any more. */
  async #fetch(): Promise<readonly Update[] | null> {
    const { limits, log, random } = this.#world;
    const { signal } = this.#abort;
    try {
      const timeout = Math.floor(limits.telegramPollMs / 1_000);
      const updates = await this.#api.getUpdates(
        { ...(this.#offset === 0 ? {} : { offset: this.#offset }), timeout, allowed_updates: ['message'] },
        signal as never,
      );
      if (this.#failures > 0) log.info('telegram.recovered', { failures: this.#failures });
      this.#failures = 0;
      return updates;
    } catch (error) {
      if (signal.aborted) return null;
      const code = errorCodeOf(error);
      if (code === 401 || code === 404) {
        this.#options.inlet.failed(explain(error));
        return null;
      }
      this.#failures += 1;
      const isConflict = code === 409;
      if (this.#failures === 1) {
        const message = describe(error);
        // Another poller may end. A bot with a webhook hears nothing until a person has taken that away.
        const level = isConflict && /webhook/i.test(message) ? 'error' : 'warn';
        log[level](isConflict ? 'telegram.conflict' : 'telegram.failed', { code, message });
      }
      const baseMs = limits.telegramRetryMinMs * (isConflict ? CONFLICT_FACTOR : 1);
      const backoff = backoffMs(this.#failures, { baseMs, maxMs: limits.telegramRetryMaxMs }, random());
      await this.#wait(Math.max(backoff, Math.min(retryAfterMsOf(error) ?? 0, limits.channelRetryAfterMsMax)));
      return [];
    }
  }

  /** Offers an update until it is taken or cannot be. False: stopped before that. */
  async #offer(update: Update): Promise<boolean> {
    const { inlet, isLetIn, onMoved } = this.#options;
    const { limits, log, random } = this.#world;
    const { chat, migrate_to_chat_id: movedTo } = update.message ?? {};
    if (chat !== undefined && movedTo !== undefined) onMoved(chat.id, movedTo);
    const inbound = inboundOf(update);
    if (inbound === null) return true;
    if (!isLetIn(inbound.chat, inbound.user)) {
      inlet.refused();
      // Who runs the bot learns here which id to let in.
      log.info('telegram.stranger', { chat: inbound.chat, user: inbound.user });
      return true;
    }
    for (let failures = 1; !this.#abort.signal.aborted; failures += 1) {
      try {
        await inlet.take(inbound.message);
        return true;
      } catch (error) {
        const { code, message, retryable } = toFailure(error, 'INTERNAL');
        log.warn('telegram.not-taken', { update: update.update_id, code, message });
        if (!retryable) return true;
        const backoff = { baseMs: limits.telegramRetryMinMs, maxMs: limits.telegramRetryMaxMs };
        await this.#wait(backoffMs(failures, backoff, random()));
      }
    }
    return false;
  }

  /** Resolves after a time, or when it is stopped. */
  #wait(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const { signal } = this.#abort;
      const end = (): void => {
        cancel();
        signal.removeEventListener('abort', end);
        resolve();
      };
      const cancel = this.#world.clock.schedule(ms, end);
      signal.addEventListener('abort', end, { once: true });
      if (signal.aborted) end();
    });
  }
}
