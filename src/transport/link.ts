/**
 * The link contract: one connection that carries frames. A link knows bytes, not messages; post.ts builds messages on
 * top of it. Implementations: websocket.ts and memory.ts; test/conformance/link.ts is this page as a suite.
 */
import type { PincerError } from '../protocol/failure.ts';

/** Who the other end has proved to be, when the link was opened. */
export interface Identity {
  /** The name of the credential, for logs: `loopback`, `token`, later a key’s thumbprint. */
  readonly name: string;
}

/** What a link tells its owner. Each is called outside of any call into the link, never re-entrantly from `send` or `close`. */
export interface LinkEvents {
  /** A whole frame. The bytes are the receiver’s from now on: what is decoded are views of them, and the link never reuses them. */
  onFrame(frame: Uint8Array): void;
  /** Exactly once, whichever side closed, and last. `code` is the WebSocket close code, 1006 if the connection just ended. */
  onClose(code: number, reason: string): void;
  /** `bufferedBytes` has shrunk after it had been above zero. */
  onDrain?(): void;
}

/** One connection, whichever side opened it: whole frames in order, until it closes. */
export interface Link {
  /** Where the other end is, for logs: `127.0.0.1:50312`, `memory:3`. */
  readonly remoteAddress: string;
  readonly identity: Identity;
  /** Bytes handed to `send` that have not left yet. */
  readonly bufferedBytes: number;
  readonly isOpen: boolean;
  /** Sets who is told. Frames that came before are kept and delivered then. Called once. */
  attach(events: LinkEvents): void;
  /** Hands a frame over. Silently dropped when the link is not open: the owner learns that from `onClose`. */
  send(frame: Uint8Array): void;
  /** Stops and resumes reading from the peer. */
  pause(): void;
  resume(): void;
  /** Closes in order: what was sent before is delivered first. Idempotent. Ends as `terminate` does after 2 s without an answer. */
  close(code: number, reason: string): void;
  /** Cuts the connection at once; `onClose` gets 1006. Idempotent. */
  terminate(): void;
}

/** Accepts links. */
export interface Listener {
  /** What a peer dials: `ws://127.0.0.1:7443`. */
  readonly url: string;
  /** Stops accepting and terminates every open link. Resolves when the port is free. Idempotent. */
  close(): Promise<void>;
}

/** Opens a link. Rejects with GATEWAY_UNREACHABLE, UNAUTHENTICATED or RATE_EXCEEDED (busy; `retryAfterMs` where the gateway gave one). */
export interface Dial {
  (signal: AbortSignal): Promise<Link>;
  /**
   * Set by a dial that finds its gateway instead of being told it: whoever answers may be the wrong one, so no refusal is
   * final. Told once for each link what came of it: null once it has held for `reconnectMaxMs`, else why there was no
   * welcome, or why it closed so soon after.
   */
  readonly onAnswered?: (refusal: PincerError | null) => void;
}

/** Starts accepting links; each accepted one is handed to `onLink`. */
export type Listen = (onLink: (link: Link) => void) => Promise<Listener>;
