/**
 * Who waits for signals: one listener of each for all of them. Node takes more than ten listeners of a signal for a leak, and
 * says so; a task may have a hundred parts under its own.
 */
interface Waiting {
  readonly callbacks: Set<() => void>;
  readonly onAbort: () => void;
}

export class AbortListeners {
  readonly #waiting = new Map<AbortSignal, Waiting>();

  /** Calls back once the signal is aborted. Returns what takes that back, which is idempotent. */
  add(signal: AbortSignal, callback: () => void): () => void {
    const waiting = this.#waiting.get(signal) ?? this.#listenTo(signal);
    waiting.callbacks.add(callback);
    return () => {
      if (!waiting.callbacks.delete(callback) || waiting.callbacks.size > 0) return;
      this.#waiting.delete(signal);
      signal.removeEventListener('abort', waiting.onAbort);
    };
  }

  #listenTo(signal: AbortSignal): Waiting {
    const callbacks = new Set<() => void>();
    const onAbort = (): void => {
      this.#waiting.delete(signal);
      const all = [...callbacks];
      callbacks.clear();
      for (const callback of all) callback();
    };
    const waiting = { callbacks, onAbort };
    this.#waiting.set(signal, waiting);
    signal.addEventListener('abort', onAbort, { once: true });
    return waiting;
  }
}
