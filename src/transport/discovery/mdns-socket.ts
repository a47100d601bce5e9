/**
 * The multicast socket of bonjour-service, contained. Every packet passes one gate, where it is counted, looked over
 * before it is decoded, and where whatever its handling throws ends. What the socket itself throws or emits is a fault.
 */
import { createSocket, type Socket } from 'node:dgram';
import { Bonjour } from 'bonjour-service';
import type { DnsRecord, DnsResponse } from './mdns-adverts.ts';

const HEADER_BYTES = 12;
const QUESTIONS_MAX = 16;
const RECORDS_MAX = 128;

export interface MdnsSocketOptions {
  /** The address of the interface to speak and listen on. */
  readonly address: string;
  readonly port: number;
  /** Whether one more packet may be read now. */
  admit(): boolean;
  onReady(): void;
  onResponse(response: DnsResponse, sender: string): void;
  /** A packet with questions: everybody’s, also our own. */
  onQuestion(sender: string): void;
  onDropped(why: string): void;
  /** The socket cannot be used as it should. May come more than once. */
  onFault(error: Error): void;
}

export interface MdnsSocket {
  ask(name: string): void;
  /** Says the records now, and whenever somebody asks for them; they take the place of those with the same names. */
  announce(records: readonly DnsRecord[]): void;
  /** Says that they are no more, and resolves when that has left. */
  withdraw(records: readonly DnsRecord[]): Promise<void>;
  close(): Promise<void>;
}

/** What of bonjour-service’s inner parts is used; its types keep them private, and they are untyped themselves. */
interface Server {
  readonly mdns: {
    on(event: 'ready', listener: () => void): void;
    on(event: 'error' | 'warning', listener: (error: Error) => void): void;
    on(event: 'query' | 'response', listener: (packet: DnsResponse, sender: Sender) => void): void;
    query(name: string, type: string, done: (error?: Error | null) => void): void;
    respond(records: readonly DnsRecord[], done: (error?: Error | null) => void): void;
    destroy(done: () => void): void;
  };
  register(records: readonly DnsRecord[]): void;
  unregister(records: readonly DnsRecord[]): void;
}

interface Sender {
  readonly address: string;
  readonly port: number;
}

/** @throws whatever the platform throws when it has no such socket */
export function openMdnsSocket(options: MdnsSocketOptions): MdnsSocket {
  const { address, port, onReady, onResponse, onQuestion, onDropped, onFault } = options;
  let isClosed = false;
  const fault = (error: unknown): void => {
    if (!isClosed) onFault(error instanceof Error ? error : new Error(String(error)));
  };
  const socket = gated(createSocket({ type: 'udp4', reuseAddr: true }), options, fault);
  const config = { socket, port, interface: address, bind: '0.0.0.0', loopback: true };
  const bonjour = new Bonjour(config as object, fault);
  const { server } = bonjour as unknown as { readonly server: Server };
  const { mdns } = server;
  mdns.on('error', fault);
  // Packets that cannot be decoded are warnings, and so is that the interface cannot be joined.
  mdns.on('warning', (error) => ('syscall' in error ? fault(error) : onDropped(`not DNS: ${error.message}`)));
  mdns.on('ready', () => {
    if (!isClosed) onReady();
  });
  mdns.on('query', (_packet, sender) => onQuestion(sender.address));
  mdns.on('response', (packet, sender) => {
    // RFC 6762, section 11: a response that does not come from the port of mDNS is not one.
    if (sender.port === port) onResponse(packet, sender.address);
    else onDropped('a response from another port');
  });

  const sent = (error?: Error | null): void => {
    if (error) fault(error);
  };

  return {
    ask(name) {
      attempt(() => mdns.query(name, 'PTR', sent), fault);
    },
    announce(records) {
      attempt(() => {
        server.unregister(records);
        server.register(records);
        mdns.respond(records, sent);
      }, fault);
    },
    withdraw(records) {
      return new Promise((resolve) => {
        attempt(
          () => {
            server.unregister(records);
            // That there are others of our service is not ours to deny.
            const own = records.filter(({ name }) => !name.startsWith('_services.'));
            mdns.respond(
              own.map((record) => ({ ...record, ttl: 0 })),
              () => resolve(),
            );
          },
          () => resolve(),
        );
      });
    },
    close() {
      if (isClosed) return Promise.resolve();
      isClosed = true;
      return new Promise((resolve) => {
        attempt(
          () => mdns.destroy(resolve),
          () => resolve(),
        );
      });
    },
  };
}

/** The one place that every event of the socket passes. */
function gated(socket: Socket, options: MdnsSocketOptions, fault: (error: unknown) => void): Socket {
  const emit = socket.emit.bind(socket) as (event: string | symbol, ...values: unknown[]) => boolean;
  socket.emit = ((event: string | symbol, ...values: unknown[]): boolean => {
    if (event !== 'message') {
      // `listening` sets options of the socket, and throws where the platform has none of them.
      return attempt(() => emit(event, ...values), fault) ?? false;
    }
    const [bytes] = values;
    if (!Buffer.isBuffer(bytes) || !isModest(bytes)) options.onDropped('a packet with too many records');
    else if (!options.admit()) options.onDropped('too many packets');
    else
      attempt(
        () => emit(event, ...values),
        (error) => options.onDropped(`a packet that fails: ${String(error)}`),
      );
    return true;
  }) as Socket['emit'];
  return socket;
}

/** Whether the header promises a packet that is worth decoding. */
function isModest(bytes: Buffer): boolean {
  if (bytes.length < HEADER_BYTES || bytes.readUInt16BE(4) > QUESTIONS_MAX) return false;
  return bytes.readUInt16BE(6) + bytes.readUInt16BE(8) + bytes.readUInt16BE(10) <= RECORDS_MAX;
}

function attempt<Result>(act: () => Result, onThrown: (error: unknown) => void): Result | undefined {
  try {
    return act();
  } catch (error) {
    onThrown(error);
    return undefined;
  }
}
