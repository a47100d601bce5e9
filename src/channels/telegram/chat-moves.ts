/**
 * Groups that have become supergroups, which have another id: what goes to the old one is sent to the new one, and who was
 * let in from there still is. Known to this process alone: Telegram says it again to whoever asks anew.
 */
import type { Log } from '../../protocol/ports.ts';

/** Far more than one bot sees; beyond it the oldest is forgotten, and found out again. */
const MOVES_MAX = 1_000;

export class ChatMoves {
  readonly #log: Log;
  readonly #isListed: (chat: number) => boolean;
  readonly #newIds = new Map<number, number>();
  readonly #oldIds = new Map<number, number>();

  /** `isListed`: whether a chat is let in by its id, which somebody has written down. */
  constructor(log: Log, isListed: (chat: number) => boolean) {
    this.#log = log;
    this.#isListed = isListed;
  }

  /** Takes note of a move, and tells of it once. */
  note(from: number, to: number): void {
    if (this.#newIds.get(from) === to) return;
    this.#newIds.set(from, to);
    this.#oldIds.set(to, from);
    for (const [oldest, since] of this.#newIds) {
      if (this.#newIds.size <= MOVES_MAX) break;
      this.#newIds.delete(oldest);
      this.#oldIds.delete(since);
    }
    // Whoever runs the bot has something to do: after a restart nobody knows any more that the new id is the old one.
    if (this.#isListed(from)) {
      const message = `the group ${from} is now the supergroup ${to}: let that in, too (--allow ${to})`;
      this.#log.error('telegram.chat-moved', { from, to, message });
    } else this.#log.warn('telegram.chat-moved', { from, to });
  }

  /** The id that a chat has now. */
  newIdOf(chat: number): number {
    return this.#newIds.get(chat) ?? chat;
  }

  /** The id that a chat had before it moved, if it did. */
  oldIdOf(chat: number): number | undefined {
    return this.#oldIds.get(chat);
  }
}
