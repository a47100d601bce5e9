/** A platform in this process: the contract’s smallest form, for tests of handlers and of channels. */
import { PincerError } from '../protocol/failure.ts';
import type { InboundMessage, Inlet, OpenPlatform, OutboundMessage, Platform, ProgressNote } from './platform.ts';
import type { Turn } from './turn.ts';

/** A platform that a test plays the users of. Give it to several instances of a channel: they share it. */
export interface MemoryPlatform extends Platform {
  /** Writes a message, to the instance that has the platform open. Rejects with `CHANNEL_STANDBY` if none has. */
  say(message: Partial<InboundMessage> & Pick<InboundMessage, 'id'>): Promise<Turn | null>;
  /** What went out, in order; a message that was sent twice is there twice. */
  readonly sent: readonly OutboundMessage[];
  readonly progress: readonly ProgressNote[];
  /** The next `times` deliveries fail with this error. */
  failNext(error: PincerError, times?: number): void;
  /** The platform fails the instance that has it open. */
  break(error: PincerError): void;
  /** How many instances have it open now, and the most there ever were at once. */
  readonly openNow: number;
  readonly openMax: number;
}

/** Makes a platform in memory. */
export function memoryPlatform(kind = 'memory'): MemoryPlatform {
  const open = new Set<{ readonly inlet: Inlet; isPaused: boolean }>();
  const sent: OutboundMessage[] = [];
  const progress: ProgressNote[] = [];
  const failures: PincerError[] = [];
  let openMax = 0;
  return {
    kind,
    sent,
    progress,
    get openNow() {
      return open.size;
    },
    get openMax() {
      return openMax;
    },
    async open(inlet): Promise<OpenPlatform> {
      const instance = { inlet, isPaused: false };
      open.add(instance);
      openMax = Math.max(openMax, open.size);
      return {
        async deliver(message) {
          const failure = failures.shift();
          if (failure !== undefined) throw failure;
          sent.push(message);
        },
        progress: (note) => void progress.push(note),
        async pause() {
          instance.isPaused = true;
        },
        async close() {
          open.delete(instance);
        },
      };
    },
    async say(message) {
      const instance = [...open].find(({ isPaused }) => !isPaused);
      if (instance === undefined) throw new PincerError('CHANNEL_STANDBY', `nobody listens to '${kind}'`);
      const { conversation = 'c1', sender = 'somebody', text = 'hello', replyTo = { to: sender } } = message;
      return instance.inlet.take({ ...message, conversation, sender, text, replyTo });
    },
    failNext: (error, times = 1) => failures.push(...Array.from({ length: times }, () => error)),
    break: (error) => {
      for (const { inlet } of open) inlet.failed(error);
    },
  };
}
