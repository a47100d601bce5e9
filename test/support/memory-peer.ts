/** A peer that says what the test tells it to, message by message, over the network of a test cluster. */

import { defaultLimits } from '../../src/protocol/limits.ts';
import { MESSAGES, type Message, type MessageType, type Payload, parseMessage } from '../../src/protocol/message.ts';
import type { TestCluster } from '../../src/testing/cluster.ts';
import { decodeFrame, encodeFrame } from '../../src/transport/codec.ts';
import type { Link } from '../../src/transport/link.ts';

export class MemoryPeer {
  readonly id: string;
  readonly heard: Message[] = [];
  /** The types of what came together. */
  readonly frames: MessageType[][] = [];
  closed: { code: number; reason: string } | null = null;
  /** Whether what is heard is acknowledged. */
  acknowledges = true;
  readonly #link: Link;
  #lastId = 0;

  private constructor(id: string, link: Link) {
    this.id = id;
    this.#link = link;
    link.attach({
      onFrame: (frame) => {
        const messages = decodeFrame(new Uint8Array(frame), defaultLimits).map(parseMessage);
        this.heard.push(...messages);
        this.frames.push(messages.map(({ type }) => type));
        const last = messages.findLast(({ id: number }) => number !== undefined)?.id;
        if (last !== undefined && this.acknowledges) this.say('ack', { received: last });
      },
      onClose: (code, reason) => {
        this.closed = { code, reason };
      },
    });
  }

  static async dial(cluster: TestCluster, id: string, gateway = 'gateway'): Promise<MemoryPeer> {
    const dial = cluster.network.dial(gateway, { name: id });
    return new MemoryPeer(id, await cluster.until(dial(new AbortController().signal)));
  }

  /** A node that has registered and was welcomed. */
  static async join(
    cluster: TestCluster,
    id: string,
    claim: Partial<Payload<'register'>> = {},
    gateway = 'gateway',
  ): Promise<MemoryPeer> {
    const peer = await MemoryPeer.dial(cluster, id, gateway);
    peer.say('register', {
      protocol: [1, 1],
      nodeId: id,
      nodeType: 'agent',
      incarnation: `${id}-1`,
      capabilities: [],
      maxTasks: 1,
      running: [],
      ...claim,
    });
    await cluster.settle();
    return peer;
  }

  /** Sends one message; reliable ones are numbered. */
  say<Type extends MessageType>(type: Type, payload: Payload<Type>, envelope: object = {}): void {
    this.sayAll([{ type, ...(MESSAGES[type].reliable ? { id: ++this.#lastId } : {}), ...envelope, payload }]);
  }

  /** Sends messages as they are, in one frame. */
  sayAll(messages: readonly object[]): void {
    this.#link.send(encodeFrame(messages));
  }

  of<Type extends MessageType>(type: Type): Payload<Type>[] {
    return this.heard.filter((message) => message.type === type).map(({ payload }) => payload as Payload<Type>);
  }

  /** The last message of a type, which must have come. */
  last<Type extends MessageType>(type: Type): Payload<Type> {
    const last = this.of(type).at(-1);
    if (last === undefined)
      throw new Error(`${this.id} has heard no ${type}, but ${this.heard.map((one) => one.type)}`);
    return last;
  }

  hangUp(): void {
    this.#link.terminate();
  }
}
