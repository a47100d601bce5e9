/**
 * An outbox in a directory: one file, to which checked lines are appended. A result counts as kept when its line is on
 * the disk (fdatasync); all that came during one sync shares the next. That one is forgotten is written and not synced:
 * should that be lost, it is reported once more, and a gateway knows that it has it.
 */
import { constants } from 'node:fs';
import { copyFile, type FileHandle, open, realpath, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { PincerError } from '../../protocol/failure.ts';
import { type DirectoryLock, lockDirectory } from '../folders/directory-lock.ts';
import { makeFolder } from '../folders/folder.ts';
import { KeptResults, type Outbox, type OutboxOwner, type Result } from './outbox.ts';
import { goneLine, HEADER, keptLine, readLines } from './outbox-lines.ts';

const FILE = 'results.log';
/** A file of this size or more is written anew when less than half of it is of any use. */
const COMPACT_BYTES_MIN = 4_194_304;
/** Of what waits, so much is written at once, and one result more. */
const BATCH_BYTES_MAX = 8_388_608;
/** How long after a failure it is tried again. */
const RETRY_MS = 1_000;

/**
 * An outbox in a directory of its own, for `createNode({ outbox, id })`: results are on the disk before they are
 * reported, and the next process of the node reports what a gateway has not acknowledged, instead of the tasks being run
 * again. The directory is made if it is missing, for its owner alone; it must be on a local disk.
 * @throws PincerError `OPTION_INVALID` for a directory without a name
 */
export function diskOutbox(directory: string): Outbox {
  if (typeof directory !== 'string')
    throw new PincerError('OPTION_INVALID', `diskOutbox: the directory is ${directory}, must be text`);
  if (directory.trim() === '')
    throw new PincerError('OPTION_INVALID', 'diskOutbox: the directory is empty, must be named');
  return new DiskOutbox(directory);
}

interface Waiting {
  readonly result: Result;
  readonly onKept: (key: string, result: Result) => void;
}

const NOBODY = (): void => {};

class DiskOutbox implements Outbox {
  #directory: string;
  #owner: OutboxOwner | null = null;
  #lock: DirectoryLock | null = null;
  #file: FileHandle | null = null;
  #kept: KeptResults | null = null;
  /** To be written, by key, in the order in which they came. */
  #waiting = new Map<string, Waiting>();
  /** Forgotten, and the file does not say so yet. */
  #gone: string[] = [];
  /** The bytes of the lines that are of use, by key. */
  readonly #lines = new Map<string, number>();
  #usefulBytes = 0;
  /** Where the next line goes; there may be something behind it if `#isTorn`. */
  #offset = 0;
  #isTorn = false;
  /** From this size on it is looked whether the file is worth writing anew. */
  #compactFrom = COMPACT_BYTES_MIN;
  #failure: PincerError | null = null;
  #stopRetry: () => void = () => {};
  #writing: Promise<void> | null = null;
  #isClosed = false;

  constructor(directory: string) {
    this.#directory = directory;
  }

  async open(owner: OutboxOwner): Promise<readonly Result[]> {
    if (this.#lock !== null) throw new PincerError('OUTBOX_IN_USE', 'another node of this process has the outbox open');
    try {
      makeFolder(this.#directory);
      this.#directory = await realpath(this.#directory);
      this.#lock = await lockDirectory(this.#directory, lockOf(this.#directory));
      this.#owner = owner;
      return await this.#load(owner);
    } catch (error) {
      await this.#letGo();
      throw error instanceof PincerError ? error : unavailable(`${this.#directory} cannot be used`, error);
    }
  }

  get refusal(): PincerError | null {
    return this.#failure ?? this.#kept?.refusal ?? null;
  }

  keep(key: string, result: Result, onKept: Waiting['onKept']): void {
    if (this.#isClosed) return;
    this.#kept?.add(key, result);
    this.#waiting.delete(key);
    // While it cannot be written it is as safe as it gets: no attempt is held up by a disk.
    const isHeldUp = this.#failure === null;
    this.#waiting.set(key, { result, onKept: isHeldUp ? onKept : NOBODY });
    if (isHeldUp) this.#start();
    else onKept(key, result);
  }

  forget(key: string): void {
    if (this.#kept?.remove(key) !== true) return;
    this.#waiting.delete(key);
    if (!this.#drop(key)) return;
    this.#gone.push(key);
    this.#start();
  }

  async close(): Promise<void> {
    this.#stopRetry();
    this.#isClosed = true;
    await this.#writing;
    // What came while the disk failed gets a last chance, all of it.
    await this.#write();
    await this.#letGo();
  }

  get #path(): string {
    return join(this.#directory, FILE);
  }

  async #load(owner: OutboxOwner): Promise<readonly Result[]> {
    this.#file = await open(this.#path, constants.O_RDWR | constants.O_CREAT, 0o600);
    const found = readLines(await this.#file.readFile());
    if (found === null) throw unavailable(`${this.#path} is no outbox that this version of Pincer reads`);
    const { kept, damaged, end } = found;
    this.#kept = new KeptResults(
      owner,
      [...kept].map(([key, { result }]) => [key, result]),
    );
    [this.#waiting, this.#gone, this.#failure] = [new Map(), [], null];
    for (const [key, { bytes }] of kept) this.#hold(key, bytes);
    [this.#offset, this.#isTorn, this.#isClosed] = [end, true, false];
    if (damaged.length > 0) {
      const aside = `${this.#path}.damaged`;
      // A copy: until it has been written anew, the old file is all there is, and that may fail, on a full disk for one.
      await copyFile(this.#path, aside);
      const lines =
        damaged.length === 1 ? `line ${damaged[0]} is` : `${damaged.length} lines, the first ${damaged[0]}, are`;
      const says = `${lines} damaged: what they kept is run again, all else is kept; the file is now ${aside}`;
      owner.log.error('outbox.damaged', { file: this.#path, says });
    }
    if (end === 0 || damaged.length > 0) await this.#rewrite();
    else await syncDirectory(this.#directory);
    return [...kept.values()].map(({ result }) => result);
  }

  #start(): void {
    if (this.#writing !== null || this.#failure !== null || this.#isClosed) return;
    // What else this turn brings shares the first batch.
    this.#writing = Promise.resolve().then(() => this.#write());
  }

  async #write(): Promise<void> {
    while (this.#file !== null && (this.#waiting.size > 0 || this.#gone.length > 0)) {
      if (!(await this.#writeBatch(this.#file))) break;
    }
    this.#writing = null;
  }

  /** Writes what waits. False: it cannot be written now, and waits on; nobody has to wait for it. */
  async #writeBatch(file: FileHandle): Promise<boolean> {
    const waiting = this.#takeBatch();
    const gone = this.#gone;
    this.#gone = [];
    try {
      if (waiting.size === 0 && this.#lines.size === 0) await this.#empty(file);
      else await this.#append(file, waiting, gone);
    } catch (error) {
      this.#failed(error, waiting, gone);
      return false;
    }
    if (this.#failure !== null) this.#recovered();
    for (const [key, { result, onKept }] of waiting) onKept(key, result);
    if (this.#offset >= this.#compactFrom && this.#usefulBytes * 2 < this.#offset) await this.#compact();
    return true;
  }

  #takeBatch(): Map<string, Waiting> {
    const batch = new Map<string, Waiting>();
    let bytes = 0;
    for (const [key, waiting] of this.#waiting) {
      if (bytes >= BATCH_BYTES_MAX) break;
      bytes += waiting.result.result?.byteLength ?? 0;
      batch.set(key, waiting);
      this.#waiting.delete(key);
    }
    return batch;
  }

  async #append(file: FileHandle, waiting: ReadonlyMap<string, Waiting>, gone: readonly string[]): Promise<void> {
    const lines = gone.map(goneLine);
    for (const [key, { result }] of waiting) {
      const line = keptLine(result);
      lines.push(line);
      this.#drop(key);
      this.#hold(key, line.length);
    }
    const bytes = Buffer.from(lines.join(''), 'latin1');
    if (this.#isTorn) await file.truncate(this.#offset);
    this.#isTorn = true;
    await writeAt(file, bytes, this.#offset);
    if (waiting.size > 0) await file.datasync();
    this.#isTorn = false;
    this.#offset += bytes.length;
  }

  async #empty(file: FileHandle): Promise<void> {
    await file.truncate(HEADER.length);
    this.#offset = HEADER.length;
    this.#isTorn = false;
  }

  /** The old file is as good as the new one, only larger: if it cannot be done now, it is done later. */
  async #compact(): Promise<void> {
    this.#compactFrom = this.#offset * 2;
    await this.#rewrite().then(
      () => {
        this.#compactFrom = COMPACT_BYTES_MIN;
      },
      (error: unknown) => this.#owner?.log.warn('outbox.not-compacted', { file: this.#path, error: String(error) }),
    );
  }

  /** Writes what is kept to a new file, which takes the place of the old one once it is on the disk. */
  async #rewrite(): Promise<void> {
    const draft = `${this.#path}.draft`;
    const file = await open(draft, constants.O_RDWR | constants.O_CREAT | constants.O_TRUNC, 0o600);
    const written = new Map<string, number>();
    let offset = 0;
    const write = async (line: string): Promise<void> => {
      await writeAt(file, Buffer.from(line, 'latin1'), offset);
      offset += line.length;
    };
    try {
      await write(HEADER);
      for (const [key, result] of this.#kept?.entries() ?? []) {
        // What waits comes behind it.
        if (!this.#lines.has(key)) continue;
        const line = keptLine(result);
        written.set(key, line.length);
        await write(line);
      }
      await file.sync();
      await rename(draft, this.#path);
    } catch (error) {
      await file.close();
      throw error;
    }
    const old = this.#file;
    [this.#file, this.#offset, this.#isTorn] = [file, offset, false];
    // Of what was forgotten meanwhile the next batch tells.
    for (const [key, bytes] of written) if (this.#drop(key)) this.#hold(key, bytes);
    await old?.close();
    await syncDirectory(this.#directory);
  }

  #failed(error: unknown, waiting: ReadonlyMap<string, Waiting>, gone: readonly string[]): void {
    const later = this.#waiting;
    this.#waiting = new Map();
    for (const [key, { result }] of waiting) {
      this.#drop(key);
      if (this.#kept?.has(key) === true && !later.has(key)) this.#waiting.set(key, { result, onKept: NOBODY });
    }
    for (const [key, { result }] of later) this.#waiting.set(key, { result, onKept: NOBODY });
    this.#gone = [...gone, ...this.#gone];
    const isNew = this.#failure === null;
    this.#failure = unavailable(`${this.#path} cannot be written`, error);
    if (isNew) {
      const mend =
        'no new work is taken until it can be; what has ended is reported, and lost if this process ends first';
      this.#owner?.log.error('outbox.failed', { file: this.#path, error: this.#failure.message, says: mend });
      this.#owner?.onRefusal();
    }
    if (!this.#isClosed) {
      this.#stopRetry = this.#owner?.clock.schedule(RETRY_MS, () => this.#retry()) ?? this.#stopRetry;
    }
    for (const [key, { result, onKept }] of [...waiting, ...later]) onKept(key, result);
  }

  #retry(): void {
    const file = this.#file;
    if (file === null || this.#writing !== null || this.#isClosed) return;
    this.#writing = this.#writeBatch(file).then((isWritten) => {
      this.#writing = null;
      if (isWritten && (this.#waiting.size > 0 || this.#gone.length > 0)) this.#start();
    });
  }

  #recovered(): void {
    this.#failure = null;
    this.#owner?.log.warn('outbox.recovered', { file: this.#path });
    this.#owner?.onRefusal();
  }

  #hold(key: string, bytes: number): void {
    this.#lines.set(key, bytes);
    this.#usefulBytes += bytes;
  }

  /** False: the file has no line of it. */
  #drop(key: string): boolean {
    const bytes = this.#lines.get(key);
    if (bytes === undefined) return false;
    this.#lines.delete(key);
    this.#usefulBytes -= bytes;
    return true;
  }

  async #letGo(): Promise<void> {
    const [file, lock] = [this.#file, this.#lock];
    [this.#file, this.#lock, this.#kept] = [null, null, null];
    this.#lines.clear();
    this.#usefulBytes = 0;
    try {
      await file?.close();
    } finally {
      await lock?.release();
    }
  }
}

async function writeAt(file: FileHandle, bytes: Uint8Array, offset: number): Promise<void> {
  for (let done = 0; done < bytes.length; ) {
    const { bytesWritten } = await file.write(bytes, done, bytes.length - done, offset + done);
    done += bytesWritten;
  }
}

async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, 'r');
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}

function unavailable(message: string, cause?: unknown): PincerError {
  const why = cause instanceof Error ? `: ${cause.message}` : '';
  return new PincerError('OUTBOX_UNAVAILABLE', `${message}${why}`, { cause });
}

function lockOf(directory: string) {
  const message = `another process has the outbox in ${directory} open`;
  return { what: 'outbox', inUse: () => new PincerError('OUTBOX_IN_USE', message), unlockable: unavailable };
}
