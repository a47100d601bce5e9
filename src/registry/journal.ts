/**
 * Leases on disk: a journal of one checked line per change, written and synced in batches before anything is
 * acknowledged, and from time to time a snapshot that a new journal follows. A crash at any point leaves either the old
 * snapshot and journal or the new; what a crash tore off the end of the journal was never acknowledged.
 */
import { constants } from 'node:fs';
import { type FileHandle, open, readdir, readFile, realpath, rename, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { z } from 'zod';
import { type DirectoryLock, lockDirectory } from '../actors/folders/directory-lock.ts';
import { makeFolder } from '../actors/folders/folder.ts';
import { PincerError } from '../protocol/failure.ts';
import { applyEntry, JournalEntry, LeaseRecord, type LeaseStore } from './lease.ts';

const SNAPSHOT = 'snapshot.json';
/** Lines beyond which a snapshot is written, if they are also this many times the leases that hold. */
const LINES_MIN = 1_000;
const LINES_PER_LEASE = 4;
const BATCH_MAX = 1_024;

const Snapshot = z.strictObject({ generation: z.int().min(0), leases: z.array(LeaseRecord) });

interface Waiting {
  readonly entry: JournalEntry;
  readonly line: string;
  resolve(): void;
  reject(error: PincerError): void;
}

/** Leases that outlive the process, in a folder of their own. One registry at a time may use it. */
export function journalLeases(folder: string, options: { readonly linesMin?: number } = {}): LeaseStore {
  return new Journal(folder, options.linesMin ?? LINES_MIN);
}

class Journal implements LeaseStore {
  readonly #folder: string;
  readonly #linesMin: number;
  /** What is durable: the snapshot and every line after it. */
  readonly #leases = new Map<string, LeaseRecord>();
  #lock: DirectoryLock | null = null;
  #file: FileHandle | null = null;
  #generation = 0;
  /** Where the next line goes: the end of the last one that is whole. */
  #offset = 0;
  #lines = 0;
  /** Whether there may be something after `#offset`. */
  #isTorn = false;
  #waiting: Waiting[] = [];
  #writing: Promise<void> | null = null;
  #isClosed = false;

  constructor(folder: string, linesMin: number) {
    this.#folder = folder;
    this.#linesMin = linesMin;
  }

  async open(): Promise<readonly LeaseRecord[]> {
    try {
      makeFolder(this.#folder);
      // Before anything is read: what another registry is writing just now would be taken for a torn end, and cut off.
      this.#lock = await lockDirectory(await realpath(this.#folder), lockOf(this.#folder));
      await this.#readSnapshot();
      this.#file = await openOrMake(join(this.#folder, fileOf(this.#generation)));
      await this.#replay(this.#file);
      await syncFolder(this.#folder);
      await this.#tidy();
    } catch (error) {
      await this.#file?.close();
      this.#file = null;
      await this.#letGo();
      throw error instanceof PincerError ? error : unavailable(`${this.#folder} cannot be used`, error);
    }
    return [...this.#leases.values()];
  }

  append(entry: JournalEntry): Promise<void> {
    if (this.#isClosed || this.#file === null) return Promise.reject(unavailable(`${this.#folder} is not open`));
    return new Promise((resolve, reject) => {
      this.#waiting.push({ entry, line: lineOf(entry), resolve, reject });
      this.#writing ??= this.#write();
    });
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#writing;
    const file = this.#file;
    this.#file = null;
    await file?.close();
    await this.#letGo();
  }

  async #letGo(): Promise<void> {
    const lock = this.#lock;
    this.#lock = null;
    await lock?.release();
  }

  /** Writes what waits, a batch at a time: all that came during one sync shares the next. */
  async #write(): Promise<void> {
    while (this.#waiting.length > 0 && this.#file !== null) {
      const batch = this.#waiting.splice(0, BATCH_MAX);
      const bytes = Buffer.from(batch.map(({ line }) => line).join(''));
      try {
        if (this.#isTorn) await this.#file.truncate(this.#offset);
        this.#isTorn = true;
        await writeAt(this.#file, bytes, this.#offset);
        await this.#file.datasync();
      } catch (error) {
        // What may be half there is cut off before the next batch; nothing of it was acknowledged.
        const failure = unavailable(`${join(this.#folder, fileOf(this.#generation))} cannot be written`, error);
        for (const { reject } of batch) reject(failure);
        continue;
      }
      this.#isTorn = false;
      this.#offset += bytes.length;
      this.#lines += batch.length;
      for (const { entry, resolve } of batch) {
        applyEntry(this.#leases, entry);
        resolve();
      }
      if (this.#lines > Math.max(this.#linesMin, this.#leases.size * LINES_PER_LEASE)) await this.#compact();
    }
    this.#writing = null;
  }

  /** Begins a new generation. If that fails the old one goes on, and it is tried again when as many lines have come. */
  async #compact(): Promise<void> {
    this.#lines = 0;
    const generation = this.#generation + 1;
    const { path: next, snapshot, draft } = this.#paths(generation);
    let file: FileHandle | null = null;
    try {
      file = await open(next, 'w+', 0o600);
      await file.sync();
      await writeSynced(draft, JSON.stringify({ generation, leases: [...this.#leases.values()] }));
      await rename(draft, snapshot);
    } catch {
      await file?.close();
      return;
    }
    const old = this.#file;
    [this.#file, this.#generation, this.#offset] = [file, generation, 0];
    await old?.close();
    // Only when the new name of the snapshot is durable may the old journal go; else it is left for `#tidy`.
    await syncFolder(this.#folder)
      .then(() => unlink(join(this.#folder, fileOf(generation - 1))))
      .catch(() => {});
  }

  async #readSnapshot(): Promise<void> {
    const { snapshot } = this.#paths(0);
    const text = await readFile(snapshot, 'utf8').catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return null;
      throw error;
    });
    if (text === null) return;
    const { data } = Snapshot.safeParse(jsonOf(text));
    if (data === undefined) throw unavailable(`${snapshot} is damaged: it is not a snapshot of leases`);
    this.#generation = data.generation;
    for (const record of data.leases) this.#leases.set(record.node.id, record);
  }

  async #replay(file: FileHandle): Promise<void> {
    const bytes = await file.readFile();
    let offset = 0;
    while (offset < bytes.length) {
      const end = bytes.indexOf(10, offset);
      const entry = end < 0 ? null : entryOf(bytes.toString('utf8', offset, end));
      if (entry === null) {
        if (end >= 0 && end < bytes.length - 1) {
          const place = `${join(this.#folder, fileOf(this.#generation))}:${this.#lines + 1}`;
          throw unavailable(`${place} is damaged, and lines follow it: this is no torn end`);
        }
        await file.truncate(offset);
        await file.sync();
        break;
      }
      applyEntry(this.#leases, entry);
      this.#lines += 1;
      offset = end + 1;
    }
    this.#offset = offset;
  }

  /** Removes what a crash during a new generation left behind. */
  async #tidy(): Promise<void> {
    const own = [SNAPSHOT, fileOf(this.#generation)];
    const strays = (await readdir(this.#folder)).filter(
      (name) => /^(journal-\d+\.log|snapshot\.json\.draft)$/.test(name) && !own.includes(name),
    );
    for (const name of strays) await unlink(join(this.#folder, name));
  }

  #paths(generation: number) {
    const snapshot = join(this.#folder, SNAPSHOT);
    return { path: join(this.#folder, fileOf(generation)), snapshot, draft: `${snapshot}.draft` };
  }
}

/** Makes the file if it is missing. Not with the flag `a`: what is open for appending cannot be written at a place. */
async function openOrMake(path: string): Promise<FileHandle> {
  return open(path, constants.O_RDWR | constants.O_CREAT, 0o600);
}

function fileOf(generation: number): string {
  return `journal-${generation}.log`;
}

function lineOf(entry: JournalEntry): string {
  const text = JSON.stringify(entry);
  return `${crc32(text).toString(16).padStart(8, '0')} ${text}\n`;
}

function entryOf(line: string): JournalEntry | null {
  const text = line.slice(9);
  if (line[8] !== ' ' || line.slice(0, 8) !== crc32(text).toString(16).padStart(8, '0')) return null;
  return JournalEntry.safeParse(jsonOf(text)).data ?? null;
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

async function writeAt(file: FileHandle, bytes: Uint8Array, offset: number): Promise<void> {
  for (let done = 0; done < bytes.length; ) {
    const { bytesWritten } = await file.write(bytes, done, bytes.length - done, offset + done);
    done += bytesWritten;
  }
}

async function writeSynced(path: string, text: string): Promise<void> {
  const file = await open(path, 'w', 0o600);
  try {
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
}

async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

function unavailable(message: string, cause?: unknown): PincerError {
  const why = cause instanceof Error ? `: ${cause.message}` : '';
  return new PincerError('STORE_UNAVAILABLE', `${message}${why}`, cause === undefined ? {} : { cause });
}

function lockOf(folder: string) {
  return {
    what: 'registry',
    inUse: () =>
      new PincerError('STORE_UNAVAILABLE', `another registry has the leases in ${folder} open`, {
        hint: 'Stop that one, or give each registry a folder of its own with `--data FOLDER`.',
      }),
    unlockable: unavailable,
  };
}
