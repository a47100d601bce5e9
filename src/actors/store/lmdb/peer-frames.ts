/** What processes of one store say to each other: a length, a kind, a topic, bytes. */

/** `hello` names the sender. `ready` and `settled` carry lists of names, `message` what a gateway published. */
export const PEER_KINDS = ['hello', 'message', 'ready', 'settled'] as const;
export type PeerKind = (typeof PEER_KINDS)[number];

export interface PeerFrame {
  readonly kind: PeerKind;
  readonly topic: string;
  readonly bytes: Uint8Array;
}

/** Length, kind, length of the topic. */
const HEADER_BYTES = 4 + 1 + 2;
const TOPIC_BYTES_MAX = 65_535;

export function encodePeerFrame({ kind, topic, bytes }: PeerFrame): Buffer {
  const name = Buffer.from(topic).subarray(0, TOPIC_BYTES_MAX);
  const header = Buffer.alloc(HEADER_BYTES);
  header.writeUInt32BE(HEADER_BYTES - 4 + name.byteLength + bytes.byteLength, 0);
  header.writeUInt8(PEER_KINDS.indexOf(kind), 4);
  header.writeUInt16BE(name.byteLength, 5);
  return Buffer.concat([header, name, bytes]);
}

/** Cuts a stream of bytes into frames. Null: this is nothing that a peer says. */
export class PeerFrameReader {
  readonly #bytesMax: number;
  #chunks: Buffer[] = [];
  #held = 0;

  /** No frame is longer than this. */
  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  push(chunk: Buffer): PeerFrame[] | null {
    this.#chunks.push(chunk);
    this.#held += chunk.byteLength;
    const frames: PeerFrame[] = [];
    for (;;) {
      if (this.#held < 4) return frames;
      const length = this.#join(4).readUInt32BE(0);
      if (length < HEADER_BYTES - 4 || length > this.#bytesMax) return null;
      if (this.#held < 4 + length) return frames;
      const all = this.#join(4 + length);
      const frame = decode(all.subarray(0, 4 + length));
      if (frame === null) return null;
      frames.push(frame);
      this.#chunks = [all.subarray(4 + length)];
      this.#held = all.byteLength - 4 - length;
    }
  }

  /** The bytes that are held, at least so many of them in one piece at the front. */
  #join(bytes: number): Buffer {
    const [first] = this.#chunks;
    if (first !== undefined && (first.byteLength >= bytes || this.#chunks.length === 1)) return first;
    const all = Buffer.concat(this.#chunks);
    this.#chunks = [all];
    return all;
  }
}

function decode(frame: Buffer): PeerFrame | null {
  const kind = PEER_KINDS[frame.readUInt8(4)];
  const topicEnd = HEADER_BYTES + frame.readUInt16BE(5);
  if (kind === undefined || topicEnd > frame.byteLength) return null;
  return {
    kind,
    topic: frame.toString('utf8', HEADER_BYTES, topicEnd),
    bytes: new Uint8Array(frame.subarray(topicEnd)),
  };
}
