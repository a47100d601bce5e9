/**
 * One in-memory connection: two ends, and what is on its way between them. It behaves as TCP under WebSocket does: in
 * order, a close behind what was sent before it, an end that the other has left answers with a cut.
 */
import { defaultLimits } from '../protocol/limits.ts';
import type { Identity, Link, LinkEvents } from './link.ts';
import { delayOf, happens, type Weather } from './memory-weather.ts';

/** How late a frame is that others overtake. */
const LATE_MS = 10;

/** What travels. An answer is the other end’s consent to a close; a cut is the news that the connection has ended. */
type Cargo =
  | { readonly kind: 'frame'; readonly bytes: Uint8Array }
  | { readonly kind: 'close' | 'answer'; readonly code: number; readonly reason: string }
  | { readonly kind: 'cut' };

/** One end as its network knows it. */
export interface EndFacts {
  readonly name: string;
  readonly address: string;
  readonly identity: Identity;
}

/** Connects two ends. Each link shows the facts of the other end. `onEnded` is called when both have ended. */
export function openLine(
  near: EndFacts,
  far: EndFacts,
  weather: Weather,
  onEnded: () => void,
): { readonly ends: readonly [string, string]; readonly links: readonly [Link, Link]; terminate(): void } {
  const first = new MemoryEnd(near.name, far, weather);
  const second = new MemoryEnd(far.name, near, weather);
  first.join(second, onEnded);
  second.join(first, onEnded);
  return {
    ends: [near.name, far.name],
    links: [first, second],
    terminate: () => first.breakLine(),
  };
}

class MemoryEnd implements Link {
  readonly remoteAddress: string;
  readonly identity: Identity;
  readonly #name: string;
  readonly #weather: Weather;
  /** The other end, from `join` on. */
  #peer: MemoryEnd = this;
  #onEnded: () => void = () => {};
  #events: LinkEvents | undefined;
  #isClosing = false;
  #isPaused = true;
  #isDeliveryDue = false;
  #end: { readonly code: number; readonly reason: string } | undefined;
  #cancelCut: (() => void) | undefined;
  /** What has arrived here and was not delivered yet. */
  #inbox: Cargo[] = [];
  /** What this end has sent and has not arrived, in order. */
  #transit: { readonly at: number; readonly cargo: Cargo }[] = [];
  #isArrivalDue = false;
  #bufferedBytes = 0;

  constructor(name: string, other: EndFacts, weather: Weather) {
    this.#name = name;
    this.remoteAddress = other.address;
    this.identity = other.identity;
    this.#weather = weather;
  }

  join(peer: MemoryEnd, onEnded: () => void): void {
    this.#peer = peer;
    this.#onEnded = onEnded;
  }

  get isOpen(): boolean {
    return this.#end === undefined && !this.#isClosing;
  }

  get bufferedBytes(): number {
    return this.#end === undefined ? this.#bufferedBytes : 0;
  }

  attach(events: LinkEvents): void {
    this.#events = events;
    this.resume();
  }

  send(frame: Uint8Array): void {
    if (!this.isOpen) return;
    const { faults, random, clock } = this.#weather;
    if (happens(faults.cut, random)) {
      this.breakLine();
      return;
    }
    if (happens(faults.drop, random)) return;
    // Copied: the ends play different machines, and the sender may use its bytes again.
    const cargo: Cargo = { kind: 'frame', bytes: new Uint8Array(frame) };
    this.#bufferedBytes += frame.byteLength;
    if (happens(faults.reorder, random)) {
      clock.schedule(delayOf(this.#weather) + 1 + random() * (LATE_MS - 1), () => {
        if (this.#end === undefined) this.#hand(cargo);
      });
    } else this.#ship(cargo);
    if (happens(faults.duplicate, random)) {
      this.#bufferedBytes += frame.byteLength;
      this.#ship({ kind: 'frame', bytes: new Uint8Array(frame) });
    }
  }

  pause(): void {
    this.#isPaused = true;
  }

  resume(): void {
    this.#isPaused = false;
    this.#deliverSoon();
  }

  close(code: number, reason: string): void {
    if (!this.isOpen) return;
    this.#isClosing = true;
    this.#ship({ kind: 'close', code, reason });
    this.#cancelCut = this.#weather.clock.schedule(defaultLimits.closeMs, () => this.terminate());
    this.resume();
  }

  terminate(): void {
    if (this.#end !== undefined) return;
    this.#abandon();
    this.#ship({ kind: 'cut' });
  }

  /** Ends both sides at once, as when the cable is pulled and both notice. */
  breakLine(): void {
    this.#abandon();
    this.#peer.#abandon();
  }

  #abandon(): void {
    if (this.#end !== undefined) return;
    this.#inbox = [];
    this.#transit = [];
    this.#finish(1006, '');
    this.#deliverSoon();
  }

  #finish(code: number, reason: string): void {
    this.#end = { code, reason };
    this.#cancelCut?.();
    if (this.#peer.#end !== undefined) this.#onEnded();
  }

  #ship(cargo: Cargo): void {
    const { clock } = this.#weather;
    const now = clock.now();
    const at = now + delayOf(this.#weather);
    this.#transit.push({ at, cargo });
    if (at > now) {
      clock.schedule(at - now, () => this.#arrive(at));
    } else if (!this.#isArrivalDue) {
      this.#isArrivalDue = true;
      clock.soon(() => {
        this.#isArrivalDue = false;
        this.#arrive(clock.now());
      });
    }
  }

  /**
   * Hands over what is due; what overtook its forerunner on the way waits behind it. `due` is passed in because adding
   * and subtracting times may lose the last bit of one.
   */
  #arrive(due: number): void {
    while (true) {
      const next = this.#transit[0];
      if (next === undefined || next.at > due) return;
      this.#transit.shift();
      this.#hand(next.cargo);
    }
  }

  #hand(cargo: Cargo): void {
    const peer = this.#peer;
    if (this.#weather.isParted(this.#name, peer.#name)) {
      if (cargo.kind === 'frame') this.#release(cargo.bytes.byteLength);
    } else if (peer.#end !== undefined) {
      // Nobody is there any more, which this end has not learnt: a close or a cut was lost on its way here.
      if (cargo.kind === 'frame' || cargo.kind === 'close') peer.#ship({ kind: 'cut' });
    } else {
      peer.#inbox.push(cargo);
      peer.#deliver();
    }
  }

  #deliverSoon(): void {
    if (this.#isDeliveryDue) return;
    this.#isDeliveryDue = true;
    this.#weather.clock.soon(() => {
      this.#isDeliveryDue = false;
      this.#deliver();
    });
  }

  /** Tells what has arrived. A pause ends with the connection. */
  #deliver(): void {
    const events = this.#events;
    const isCut = this.#inbox.at(-1)?.kind === 'cut';
    let delivered = 0;
    while (events !== undefined && (!this.#isPaused || this.#end !== undefined || isCut)) {
      const cargo = this.#inbox.shift();
      if (cargo === undefined) break;
      if (cargo.kind === 'frame') {
        delivered += cargo.bytes.byteLength;
        events.onFrame(cargo.bytes);
      } else if (this.#end === undefined) {
        this.#conclude(cargo);
      }
    }
    if (delivered > 0) this.#peer.#release(delivered);
    if (this.#end === undefined || events === undefined || this.#inbox.length > 0) return;
    this.#events = undefined;
    events.onClose(this.#end.code, this.#end.reason);
  }

  #conclude(cargo: Exclude<Cargo, { kind: 'frame' }>): void {
    if (cargo.kind === 'cut') {
      this.#finish(1006, '');
      return;
    }
    const { code, reason } = cargo;
    if (cargo.kind === 'close') this.#ship({ kind: 'answer', code, reason });
    this.#finish(code, reason);
  }

  #release(bytes: number): void {
    this.#bufferedBytes -= bytes;
    if (this.#end === undefined) this.#events?.onDrain?.();
  }
}
