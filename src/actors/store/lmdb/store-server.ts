/** A store for who is in another thread: hands on what is asked, in the order in which it is. */
import type { MessagePort } from 'node:worker_threads';
import { PincerError, toFailure } from '../../../protocol/failure.ts';
import type { Store } from '../store.ts';
import { type Fault, type FromStore, ThreadPort, type ToStore } from './thread-port.ts';

/** `onClosed` when the store was closed, or could not be, and that has been said. */
export function serveStore(port: MessagePort, store: Store, onClosed: () => void): void {
  const listening = new Map<string, () => void>();
  const line = new ThreadPort<FromStore, ToStore>(port, (said) => {
    switch (said[0]) {
      case 'call':
        void call(said);
        break;
      case 'note':
        store.note(said[1]);
        break;
      case 'publish':
        store.publish(said[1], said[2]);
        break;
      case 'listen':
        listening.set(
          said[1],
          store.subscribe(said[1], (bytes) => line.say(['message', said[1], bytes])),
        );
        break;
      case 'forget':
        listening.get(said[1])?.();
        listening.delete(said[1]);
        break;
      default:
        throw new Error(`a store was told ${String(said)}`);
    }
  });
  store.onReady((queues) => line.say(['ready', queues]));
  store.onSettled((taskIds) => line.say(['settled', taskIds]));

  async function call([, id, verb, args]: Extract<ToStore, readonly ['call', ...unknown[]]>): Promise<void> {
    try {
      const perform = store[verb] as (...given: readonly unknown[]) => Promise<unknown>;
      line.say(['answer', id, await perform.apply(store, args as unknown[])]);
    } catch (error) {
      line.say(['fault', id, faultOf(error)]);
    } finally {
      if (verb === 'close') queueMicrotask(onClosed);
    }
  }
}

function faultOf(error: unknown): Fault {
  if (error instanceof PincerError) {
    const { code, message, retryable, hint, retryAfterMs } = error;
    return { code, message, retryable, hint, retryAfterMs };
  }
  return { ...toFailure(error, 'INTERNAL'), hint: '', retryAfterMs: undefined };
}
