/**
 * Keeps commits away while the file is opened, in whatever process. LMDB as the `lmdb` package has it lets who opens the
 * file set the number of the last transaction to what it read a moment before: a commit in between is acknowledged, and
 * then overwritten by the next one.
 *
 * Every process that writes has a byte on the disk that says whether it is at it. Who opens takes a lock and waits until
 * no byte is set; who writes sets its byte first and then looks for that lock, so one of two always sees the other.
 * @see https://bugs.openldap.org/show_bug.cgi?id=9496
 * @see Dijkstra, “Cooperating Sequential Processes”, 1965, for Dekker’s algorithm
 */
import { closeSync, existsSync, openSync, readdirSync, readFileSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { backoffMs } from '../../../machines/policies/retry.ts';
import { PincerError } from '../../../protocol/failure.ts';
import type { Clock } from '../../../protocol/ports.ts';
import { makeFolder } from '../../folders/folder.ts';
import { isHeld, lockSocket, type SocketLock } from '../../folders/socket-lock.ts';
import { realPorts } from '../../world/real-ports.ts';
import { pathOf } from './peer-path.ts';

const WRITERS = 'writers';
/** How often it is looked whether the other side is done, and how often whether it still lives. */
const LOOK_MS = 1;
const LOOKS_PER_CHECK = 50;
/** How long one of many that open waits before it comes again. */
const OPENING_BACKOFF = { baseMs: 2, maxMs: 200 };
/** How long who opens waits for those that write; a process that is stopped while it commits may hold it up. */
const WAIT_MS_MAX = 20_000;

/** One process that writes to a store. */
export class CommitGate {
  readonly #lock: string;
  readonly #path: string;
  readonly #file: number;
  #inside = 0;
  #wait: Promise<void> | null = null;

  /** `id` is that of its row among the peers, by whose socket others see whether it lives. */
  constructor(dir: string, id: string) {
    makeFolder(join(dir, WRITERS));
    this.#lock = lockOf(dir);
    this.#path = join(dir, WRITERS, id);
    this.#file = openSync(this.#path, 'w', 0o600);
    try {
      this.#say('0');
    } catch (error) {
      this.close();
      throw error;
    }
  }

  /** Before a transaction. Null: it may begin at once. */
  enter(): Promise<void> | null {
    this.#inside += 1;
    if (this.#wait !== null || this.#inside > 1) return this.#wait;
    this.#say('1');
    if (!existsSync(this.#lock)) return null;
    this.#wait = this.#whileOpened().finally(() => {
      this.#wait = null;
    });
    return this.#wait;
  }

  /** After it, whatever has become of it. */
  leave(): void {
    this.#inside -= 1;
    if (this.#inside > 0) return;
    try {
      this.#say('0');
    } catch {
      // The disk is gone: who opens the store waits for a while, and says so.
    }
  }

  /** Performs a transaction between the two. */
  async within<Answer>(transaction: () => Promise<Answer>): Promise<Answer> {
    const wait = this.enter();
    try {
      if (wait !== null) await wait;
      return await transaction();
    } finally {
      this.leave();
    }
  }

  close(): void {
    closeSync(this.#file);
    rmSync(this.#path, { force: true });
  }

  /** Resolves with the byte set and nobody opening. */
  async #whileOpened(): Promise<void> {
    const { clock } = realPorts();
    do {
      this.#say('0');
      for (let looks = 1; existsSync(this.#lock); looks += 1) {
        // The lock of a process that died stays until the next one opens the store.
        if (looks % LOOKS_PER_CHECK === 1 && !(await isHeld(this.#lock))) break;
        await pause(clock);
      }
      this.#say('1');
    } while (existsSync(this.#lock) && (await isHeld(this.#lock)));
  }

  #say(byte: '0' | '1'): void {
    writeSync(this.#file, byte, 0);
  }
}

/**
 * Opens a store while no process writes to it, and no other one opens it.
 * @throws PincerError `STORE_UNAVAILABLE` if that takes too long
 */
export async function whileNobodyWrites<Answer>(dir: string, open: () => Promise<Answer>): Promise<Answer> {
  const { clock } = realPorts();
  const untilMs = clock.now() + WAIT_MS_MAX;
  const lock = await lockOpening(dir, clock, untilMs);
  try {
    for (const id of writersOf(dir)) await untilIdle(dir, id, clock, untilMs);
    return await open();
  } finally {
    await lock.release();
  }
}

async function lockOpening(dir: string, clock: Clock, untilMs: number): Promise<SocketLock> {
  const path = lockOf(dir);
  const { random } = realPorts();
  for (let tries = 1; ; tries += 1) {
    const lock = await lockSocket(path);
    if (lock !== null) return lock;
    if (clock.now() >= untilMs) throw busy(dir, 'another process has been opening it');
    // Those that come again all at once would keep each other out.
    await pause(clock, LOOK_MS + backoffMs(tries, OPENING_BACKOFF, random()));
  }
}

/** Resolves when a process is not writing, or is gone. */
async function untilIdle(dir: string, id: string, clock: Clock, untilMs: number): Promise<void> {
  const path = join(dir, WRITERS, id);
  for (let looks = 1; isWriting(path); looks += 1) {
    if (looks % LOOKS_PER_CHECK === 0 && !(await isHeld(pathOf(dir, id)))) {
      rmSync(path, { force: true });
      return;
    }
    if (clock.now() >= untilMs) throw busy(dir, 'another process has been writing to it');
    await pause(clock);
  }
}

function writersOf(dir: string): string[] {
  const path = join(dir, WRITERS);
  return existsSync(path) ? readdirSync(path) : [];
}

function isWriting(path: string): boolean {
  try {
    return readFileSync(path, 'latin1') === '1';
  } catch {
    // It has closed the store meanwhile.
    return false;
  }
}

function pause(clock: Clock, ms = LOOK_MS): Promise<void> {
  return new Promise((resolve) => clock.schedule(ms, resolve));
}

function lockOf(dir: string): string {
  return pathOf(dir, 'opening');
}

function busy(dir: string, who: string): PincerError {
  const mend = 'a process that is stopped must go on or end first';
  return new PincerError('STORE_UNAVAILABLE', `${who} for ${WAIT_MS_MAX} ms, the store in ${dir}: ${mend}`);
}
