/** Hints inside one process: each message goes to who listens when it is published and still does when it is delivered. */
import type { Clock } from '../../protocol/ports.ts';

export class Topics<Message> {
  readonly #listeners = new Map<string, Set<(message: Message) => void>>();
  readonly #clock: Pick<Clock, 'soon'>;

  constructor(clock: Pick<Clock, 'soon'>) {
    this.#clock = clock;
  }

  has(topic: string): boolean {
    return this.#listeners.has(topic);
  }

  /** Delivers later, to each on its own: no listener runs inside the call, or is kept from a message by another's fault. */
  publish(topic: string, message: Message): void {
    const listeners = this.#listeners.get(topic);
    for (const receive of listeners ?? []) {
      this.#clock.soon(() => {
        if (listeners?.has(receive)) receive(message);
      });
    }
  }

  /** Listens until the function it returns is called. */
  subscribe(topic: string, receive: (message: Message) => void): () => void {
    // A function of its own for each subscription: the same listener may subscribe twice.
    const own = (message: Message): void => receive(message);
    const listeners = this.#listeners.get(topic) ?? new Set();
    this.#listeners.set(topic, listeners.add(own));
    return () => {
      listeners.delete(own);
      if (listeners.size === 0 && this.#listeners.get(topic) === listeners) this.#listeners.delete(topic);
    };
  }
}
