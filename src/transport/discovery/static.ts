/**
 * The nodes of a nodes.json as a discovery source. The file is read again when it changes; one that cannot be read leaves
 * what was known in place, and says so until it is mended.
 */
import { type FSWatcher, watch } from 'node:fs';
import { open, readFile } from 'node:fs/promises';
import { basename, dirname, resolve } from 'node:path';
import { PincerError } from '../../protocol/failure.ts';
import { defaultLimits } from '../../protocol/limits.ts';
import { checkOptions } from '../../protocol/options.ts';
import { type ExpectedNode, parseNodesFile } from './nodes-file.ts';
import type { Candidate, DiscoverySource, SourceEvents, SourceRun, SourceWorld } from './source.ts';

/** What `staticNodes` takes beside the file. */
export interface StaticOptions {
  /** Told of every list that was read and found good, also when nothing in it has changed. */
  readonly onNodes?: ((nodes: readonly ExpectedNode[]) => void) | undefined;
}

/** A nodes.json as a source: its nodes are candidates as long as it names them. Reloaded on change. */
export function staticNodes(file: string, options: StaticOptions = {}): DiscoverySource {
  checkOptions<StaticOptions>(options, 'staticNodes', 'options, or nothing', { onNodes: true });
  return { kind: 'static', start: (events, world) => new FileRun(resolve(file), options, events, world) };
}

/**
 * Reads a nodes.json once.
 * @throws PincerError `NODES_FILE_INVALID`, naming line, column and field, or why it cannot be read
 */
export async function loadNodesFile(file: string): Promise<readonly ExpectedNode[]> {
  return parseNodesFile(await textOf(file), file);
}

class FileRun implements SourceRun {
  readonly #file: string;
  readonly #options: StaticOptions;
  readonly #events: SourceEvents;
  readonly #world: SourceWorld;
  #watcher: FSWatcher | null = null;
  #cancelLook: () => void = () => {};
  #cancelRefresh: () => void = () => {};
  #reading: Promise<void> = Promise.resolve();
  /** What was last read and told, good or bad: the same again is no news. */
  #told: string | null = null;
  #isStopped = false;

  constructor(file: string, options: StaticOptions, events: SourceEvents, world: SourceWorld) {
    this.#file = file;
    this.#options = options;
    this.#events = events;
    this.#world = world;
    this.#watch();
    this.#look(0);
    this.#refresh();
  }

  /** The folder is watched, not the file: an editor that writes a new file over the old one leaves nothing to watch. */
  #watch(): void {
    try {
      this.#watcher = watch(dirname(this.#file), { persistent: false }, (_event, name) => {
        if (name === null || name === basename(this.#file)) this.#look(this.#world.limits.nodesFileSettleMs);
      });
      // The folder may go away; looking again from time to time is then all there is.
      this.#watcher.on('error', () => this.#unwatch());
    } catch {
      this.#watcher = null;
    }
  }

  #unwatch(): void {
    this.#watcher?.close();
    this.#watcher = null;
  }

  /** Some file systems (mounts, mostly) tell of no change. */
  #refresh(): void {
    const { clock, limits } = this.#world;
    this.#cancelRefresh = clock.schedule(limits.discoveryRefreshMs, () => {
      if (this.#watcher === null) this.#watch();
      this.#look(0);
      this.#refresh();
    });
  }

  #look(afterMs: number): void {
    this.#cancelLook();
    if (this.#isStopped) return;
    this.#cancelLook = this.#world.clock.schedule(afterMs, () => {
      this.#reading = this.#reading.then(() => this.#read());
    });
  }

  async #read(): Promise<void> {
    if (this.#isStopped) return;
    try {
      const text = await textOf(this.#file);
      if (this.#isStopped || this.#told === text) return;
      this.#told = text;
      const nodes = parseNodesFile(text, this.#file);
      this.#options.onNodes?.(nodes);
      this.#events.onCandidates(nodes.map(toCandidate));
    } catch (error) {
      if (this.#isStopped) return;
      const fault = error instanceof PincerError ? error : new PincerError('DISCOVERY_FAILED', String(error));
      // What cannot be opened has no text: once it can be, its text is news, even if it is the one from before.
      if (fault.code === 'NODES_FILE_INVALID' && fault.cause !== undefined) this.#told = null;
      this.#events.onFault(fault);
    }
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#unwatch();
    this.#cancelLook();
    this.#cancelRefresh();
    await this.#reading;
  }
}

function toCandidate({ nodeId, type, address, capabilities, maxTasks }: ExpectedNode): Candidate {
  return { nodeId, type, address, capabilities: [...capabilities], maxTasks, via: 'static' };
}

async function textOf(file: string): Promise<string> {
  try {
    const handle = await open(file, 'r');
    try {
      const { size } = await handle.stat();
      if (size > defaultLimits.nodesFileBytesMax) {
        throw new Error(`it has ${size} bytes, more than ${defaultLimits.nodesFileBytesMax}`);
      }
      return await readFile(handle, 'utf8');
    } finally {
      await handle.close();
    }
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    throw new PincerError('NODES_FILE_INVALID', `${file} cannot be read: ${message}`, { cause: error });
  }
}
