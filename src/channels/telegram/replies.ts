/**
 * What goes to Telegram: progress as one message that is edited, not too often, and at last becomes the reply. Which message
 * that is, and how many parts of a reply have gone out, is known to this process alone: after a restart the reply is a
 * message of its own, and a reply in parts may begin again.
 */
import { isDeepStrictEqual } from 'node:util';
import { PincerError } from '../../protocol/failure.ts';
import { underEither } from '../../transport/either-signal.ts';
import type { OutboundMessage, PlatformWorld, ProgressNote } from '../platform.ts';
import { type BotApi, describe, errorCodeOf, explain, movedToOf, retryAfterMsOf } from './bot-api.ts';
import type { ChatMoves } from './chat-moves.ts';
import { partsOf, TelegramAddress, tailOf } from './telegram-message.ts';

interface Sent {
  readonly chat: number;
  readonly messageId: number;
}

/** The message that shows how a task gets on. */
interface Shown {
  readonly to: TelegramAddress;
  /** The message, and the chat that it is in; null until it has been sent. */
  sent: Sent | null;
  text: string;
  /** What is to be shown next. */
  next: string;
  /** The edit under way. */
  editing: Promise<void> | null;
  /** When the next edit may be made. */
  readyAt: number;
  /** Cancels the edit that waits for its time; null if none does. */
  cancel: (() => void) | null;
  /** The reply is about to take its place. */
  isOver: boolean;
}

export class Replies {
  readonly #api: BotApi;
  readonly #world: PlatformWorld;
  readonly #moves: ChatMoves;
  readonly #shown = new Map<string, Shown>();
  /** How many parts of a reply have gone out, by key; while it is not complete. */
  readonly #sentParts = new Map<string, number>();
  readonly #abort = new AbortController();

  constructor(api: BotApi, world: PlatformWorld, moves: ChatMoves) {
    this.#api = api;
    this.#world = world;
    this.#moves = moves;
  }

  async deliver({ key, to, text, reply }: OutboundMessage, signal: AbortSignal): Promise<void> {
    const address = TelegramAddress.safeParse(to);
    if (!address.success) throw new PincerError('PAYLOAD_INVALID', 'a message goes `to` { chat, message?, thread? }');
    const { limits } = this.#world;
    const parts = partsOf(text, limits.telegramPartsMax);
    const shown = reply === undefined ? undefined : this.#shownAt(address.data, reply.taskId);
    if (shown !== undefined) shown.isOver = true;
    shown?.cancel?.();
    await shown?.editing;
    await underEither([signal, this.#abort.signal], async (abort) => {
      for (let index = this.#sentParts.get(key) ?? 0; index < parts.length; index += 1) {
        const part = parts[index] ?? '';
        const isShown = index === 0 && shown !== undefined && (await this.#replace(shown, part, abort));
        if (!isShown) await this.#send(address.data, part, index === 0, abort);
        makeRoom(this.#sentParts, limits.channelTurnsMax);
        this.#sentParts.set(key, index + 1);
      }
    }).catch((error: unknown) => {
      throw refusalOf(error);
    });
    this.#sentParts.delete(key);
    if (reply !== undefined && this.#shownAt(address.data, reply.taskId) !== undefined)
      this.#shown.delete(reply.taskId);
  }

  progress({ taskId, to, text }: ProgressNote): void {
    if (this.#abort.signal.aborted) return;
    let shown = this.#shown.get(taskId);
    if (shown === undefined) {
      const address = TelegramAddress.safeParse(to);
      if (!address.success) return;
      const fresh = { sent: null, text: '', next: '', editing: null, readyAt: 0, cancel: null, isOver: false };
      shown = { to: address.data, ...fresh };
      makeRoom(this.#shown, this.#world.limits.channelTurnsMax);
      this.#shown.set(taskId, shown);
    }
    shown.next = tailOf(text);
    this.#editSoon(shown);
  }

  close(): void {
    this.#abort.abort(new PincerError('CHANNEL_STANDBY', 'the channel let go of Telegram'));
    for (const shown of this.#shown.values()) shown.cancel?.();
    this.#shown.clear();
  }

  /** What shows there how a task gets on. How it ended may be sent elsewhere, too: that is a message of its own. */
  #shownAt(to: TelegramAddress, taskId: string): Shown | undefined {
    const shown = this.#shown.get(taskId);
    return shown !== undefined && isDeepStrictEqual(shown.to, to) ? shown : undefined;
  }

  /** Shows the latest text as soon as that may be; an edit that waits or is under way takes it along. */
  #editSoon(shown: Shown): void {
    const { clock } = this.#world;
    if (shown.isOver || shown.editing !== null || shown.cancel !== null || shown.next.trim() === '') return;
    shown.cancel = clock.schedule(shown.readyAt - clock.now(), () => {
      shown.cancel = null;
      if (shown.isOver || this.#abort.signal.aborted) return;
      shown.editing = this.#edit(shown).finally(() => {
        shown.editing = null;
        if (shown.next !== shown.text) this.#editSoon(shown);
      });
    });
  }

  async #edit(shown: Shown): Promise<void> {
    const { clock, limits, log } = this.#world;
    const text = shown.next;
    let pauseMs = limits.telegramEditMs;
    try {
      if (shown.sent === null) shown.sent = await this.#send(shown.to, text, true, this.#abort.signal);
      else await this.#editText(shown.sent, text, this.#abort.signal);
    } catch (error) {
      // Nothing depends on it: the reply comes anyway.
      log.debug('telegram.edit-failed', { message: describe(error) });
      // The message has stayed behind; the next one is sent where the chat is now.
      if (shown.sent !== null && this.#hasMoved(shown.sent.chat, error)) shown.sent = null;
      pauseMs = Math.max(pauseMs, retryAfterMsOf(error) ?? 0);
    }
    shown.text = text;
    shown.readyAt = clock.now() + pauseMs;
  }

  /** Makes the reply of what showed progress; false if that is not possible any more. */
  async #replace(shown: Shown, text: string, signal: AbortSignal): Promise<boolean> {
    if (shown.sent === null) return false;
    try {
      await this.#editText(shown.sent, text, signal);
      return true;
    } catch (error) {
      if (errorCodeOf(error) === 400) return false;
      throw error;
    }
  }

  async #editText({ chat, messageId }: Sent, text: string, signal: AbortSignal): Promise<void> {
    try {
      await this.#api.editMessageText(chat, messageId, text, {}, signal as never);
    } catch (error) {
      // It says so already: an edit whose answer was lost, perhaps.
      if (errorCodeOf(error) !== 400 || !/not modified/.test(describe(error))) throw error;
    }
  }

  async #send(to: TelegramAddress, text: string, isFirst: boolean, signal: AbortSignal): Promise<Sent> {
    const chat = this.#moves.newIdOf(to.chat);
    // Where a chat has moved to, its messages have other ids, and it had no topics before.
    const { message, thread } = chat === to.chat ? to : {};
    const isReply = isFirst && message !== undefined;
    try {
      const sent = await this.#api.sendMessage(
        chat,
        text,
        {
          ...(thread === undefined ? {} : { message_thread_id: thread }),
          // The message may have been deleted meanwhile; the reply is sent all the same.
          ...(isReply ? { reply_parameters: { message_id: message, allow_sending_without_reply: true } } : {}),
        } as Parameters<BotApi['sendMessage']>[2],
        signal as never,
      );
      return { chat, messageId: sent.message_id };
    } catch (error) {
      if (!this.#hasMoved(chat, error)) throw error;
      return this.#send(to, text, isFirst, signal);
    }
  }

  /** Whether a call failed because the chat has another id by now, which is then known. */
  #hasMoved(chat: number, error: unknown): boolean {
    const movedTo = movedToOf(error);
    if (movedTo === undefined || movedTo === chat || this.#moves.newIdOf(chat) === movedTo) return false;
    this.#moves.note(chat, movedTo);
    return true;
  }
}

/** A token that is refused while it is delivered is for the poller to find: the delivery waits. */
function refusalOf(error: unknown): PincerError {
  const failure = error instanceof PincerError ? error : explain(error);
  if (failure.code !== 'UNAUTHENTICATED') return failure;
  return new PincerError('DELIVERY_FAILED', failure.message, { cause: failure });
}

/** Beyond the bound the oldest goes: a reply that never came must not keep others from being shown. */
function makeRoom(entries: Map<string, unknown>, max: number): void {
  for (const oldest of entries.keys()) {
    if (entries.size < max) break;
    entries.delete(oldest);
  }
}
