/** A client: the calls of a peer that is nothing else, with a connection of its own. */
import { PincerError } from '../../protocol/failure.ts';
import { Identifier } from '../../protocol/identifier.ts';
import { checkOptions, type Names } from '../../protocol/options.ts';
import { type Connection, connect } from '../peer/connection.ts';
import { dialsOf, type Target } from '../peer/dials.ts';
import { type Messaging, Messenger } from '../peer/messenger.ts';
import { expectWait } from '../world/deadlines.ts';
import { realPorts } from '../world/real-ports.ts';
import { createWorld, WORLD_OPTIONS, type WorldOptions } from '../world/world.ts';
import { Calls, type GatewayCalls } from './calls.ts';

/** What `createClient` takes: the gateway, by `url` or by `dial`, and what has a default. */
export type ClientOptions = ClientSettings & (ByUrl | ByDial);

interface ByUrl {
  /** The gateway: `ws://host:port`, or several of one store. */
  readonly url: Target;
  readonly dial?: undefined;
}

interface ByDial {
  /** As `url`, for a gateway in this process: `gateway.dial`. */
  readonly dial: Target;
  readonly url?: undefined;
}

interface ClientSettings extends WorldOptions {
  /** The gateway’s token, if it asks for one. */
  readonly token?: string;
  /** The client’s name in logs. Default: a fresh one. */
  readonly id?: string;
}

const CLIENT_OPTIONS: Names<ClientOptions> = { url: true, dial: true, token: true, id: true, ...WORLD_OPTIONS };

/** A connected client. Dispose it (`await using`) or `stop()` it. */
export interface Client extends AsyncDisposable, GatewayCalls {
  readonly isConnected: boolean;
  /** Resolves when nothing will come any more: with null once it was stopped, or with what the gateway refused it with. */
  readonly stopped: Promise<PincerError | null>;
  /** Resolves when connected; rejects with `GATEWAY_UNREACHABLE` after `timeoutMs` (default 10 000), or with the refusal. */
  ready(timeoutMs?: number): Promise<void>;
  /** Messages to and from other peers. */
  readonly messages: Messaging;
  /** Hangs up. What still waits rejects with `STOPPED`; the tasks go on. Idempotent. */
  stop(): Promise<void>;
}

/**
 * Makes a client and starts connecting.
 * @throws PincerError `OPTION_INVALID`.
 */
export function createClient(options: ClientOptions): Client {
  checkOptions(options, 'createClient', 'url or dial, the gateway to dial', CLIENT_OPTIONS);
  const world = createWorld(options, realPorts());
  const { ids, deadlines, log } = world;
  const target = options.url ?? options.dial;
  if (target === undefined) {
    throw new PincerError(
      'OPTION_INVALID',
      'createClient: url is missing, the gateway to dial, such as ws://127.0.0.1:7443',
    );
  }
  const dials = dialsOf(target, options.token, world);
  const id = options.id ?? `client-${ids().slice(0, 8)}`;
  if (!Identifier.safeParse(id).success)
    throw new PincerError('OPTION_INVALID', `createClient: id '${id}' is not an id`);
  const incarnation = ids();
  let readyWaiters: { resolve: () => void; reject: (error: PincerError) => void }[] = [];
  let end: PincerError | null = null;
  let stopping: Promise<void> | null = null;
  let resolveStopped: (reason: PincerError | null) => void = () => {};
  const stopped = new Promise<PincerError | null>((resolve) => {
    resolveStopped = resolve;
  });

  const calls = new Calls(world, () => connection);
  const messenger = new Messenger(world, { requests: calls.requests });
  const connection: Connection = connect(world, {
    dials,
    owner: {
      register: () => ({ nodeId: id, nodeType: 'client', incarnation, capabilities: [], maxTasks: 0, running: [] }),
      onUp: (welcome) => {
        if (!welcome.resumed) {
          calls.sayAgain();
          messenger.subscribeAgain();
        }
        for (const { resolve } of readyWaiters.splice(0)) resolve();
      },
      onDown: () => {},
      onMessage: (message, done) => {
        if (message.type === 'direct' || message.type === 'broadcast')
          return messenger.take(message, () => done(message));
        if (!calls.take(message)) log.warn('message.unexpected', { type: message.type });
        done(message);
      },
      onRefused: (error) => {
        fail(error);
        resolveStopped(error);
      },
    },
  });

  /** Nothing will come any more. */
  function fail(error: PincerError): void {
    end ??= error;
    for (const { reject } of readyWaiters.splice(0)) reject(error);
    calls.fail(error);
    messenger.fail(error);
  }

  async function stop(): Promise<void> {
    await connection.stop();
    fail(new PincerError('STOPPED', 'the client was stopped'));
    deadlines.stop();
    resolveStopped(null);
  }

  return {
    ...calls.api,
    stopped,
    get isConnected() {
      return connection.isUp;
    },
    ready(timeoutMs = 10_000) {
      if (connection.isUp) return Promise.resolve();
      if (end !== null) return Promise.reject(end);
      return new Promise((resolve, reject) => {
        expectWait('ready: timeoutMs', timeoutMs);
        const deadline = deadlines.set(timeoutMs, () => {
          readyWaiters = readyWaiters.filter((waiter) => waiter !== own);
          const { lastError } = connection;
          const because = lastError === null ? '' : `: ${lastError.message}`;
          const hint = lastError?.code === 'GATEWAY_UNREACHABLE' ? { hint: lastError.hint } : {};
          reject(new PincerError('GATEWAY_UNREACHABLE', `not connected within ${timeoutMs} ms${because}`, hint));
        });
        const own = {
          resolve: () => {
            deadline.clear();
            resolve();
          },
          reject: (error: PincerError) => {
            deadline.clear();
            reject(error);
          },
        };
        readyWaiters.push(own);
      });
    },
    messages: messenger,
    stop() {
      stopping ??= stop();
      return stopping;
    },
    [Symbol.asyncDispose]() {
      stopping ??= stop();
      return stopping;
    },
  };
}
