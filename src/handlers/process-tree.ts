/**
 * A process and everything that came from it, and how it is brought to an end. A process belongs to the tree by its
 * group, its session, its parent, or the run it carries in its environment; whoever belonged once stays known. So a child
 * that leaves its session, or whose parent has died, is still found. Out of reach is only one that drops its group, its
 * parent and its environment at once.
 */
import { execFile } from 'node:child_process';
import type { Clock } from '../protocol/ports.ts';
import { isWithin, nextProcessTable, type ProcessEntry, ProcessTable, startOf } from './process-table.ts';

const FIRST_LOOK_MS = 5;
const LONGEST_LOOK_MS = 250;
const KILL_AT_EXIT_ROUNDS = 3;

const isWindows = process.platform === 'win32';

export class ProcessTree {
  readonly #leader: number;
  readonly #leaderStartedAt: number;
  readonly #run: string;
  readonly #graceMs: number;
  readonly #clock: Clock;
  readonly #known = new Map<number, number>();
  readonly #blank = new Map<number, number>();
  readonly #told = new Set<number>();
  #isNumberHeld = true;
  #hasLeaderExited = false;
  #hasSeenAll = false;
  #terminateAt = Number.POSITIVE_INFINITY;
  #ending: Promise<void> | null = null;
  #wake: () => void = () => {};

  /** The tree of a process that was just started as the leader of its own group, with `run` in its environment. */
  constructor(leader: number, run: string, graceMs: number, clock: Clock) {
    this.#leader = leader;
    this.#leaderStartedAt = startOf(leader);
    this.#run = run;
    this.#graceMs = graceMs;
    this.#clock = clock;
    watchExit(this);
  }

  /** Says that the leader has been reaped: its pid no longer speaks for the tree by itself. */
  leaderExited(): void {
    this.#hasLeaderExited = true;
    this.#wake();
  }

  /**
   * Resolves when nothing of the tree is left. What still runs after `patienceMs` gets SIGTERM, and SIGKILL after the
   * grace, again and again until it is gone. A further call can only shorten the patience.
   */
  end(patienceMs: number): Promise<void> {
    this.#terminateAt = Math.min(this.#terminateAt, this.#clock.now() + patienceMs);
    this.#wake();
    this.#ending ??= (isWindows ? this.#endOnWindows() : this.#untilGone()).finally(() => unwatchExit(this));
    return this.#ending;
  }

  /** Sends SIGKILL to all there is, at once: for a process that is about to exit and cannot wait. */
  killNow(): void {
    if (isWindows) {
      sendSignal(this.#leader, 'SIGKILL');
      return;
    }
    try {
      for (let round = 0; round < KILL_AT_EXIT_ROUNDS; round++) {
        const members = this.#membersIn(new ProcessTable());
        if (members.length === 0) return;
        this.#kill(members);
      }
    } catch {
      // Nobody can be seen; the group of a leader that has not been reaped is still its own.
      if (!this.#hasLeaderExited) sendSignal(-this.#leader, 'SIGKILL');
    }
  }

  async #untilGone(): Promise<void> {
    let lookMs = FIRST_LOOK_MS;
    for (;;) {
      const hadLeaderExited = this.#hasLeaderExited;
      const knownBefore = this.#known.size;
      const members = await this.#look();
      if (members === null) {
        await this.#pause(LONGEST_LOOK_MS);
        continue;
      }
      if (members.length === 0 && hadLeaderExited && this.#hasSeenAll) return;
      // Whoever still forks is looked at often, whoever only takes long more and more seldom.
      lookMs = this.#known.size > knownBefore ? FIRST_LOOK_MS : Math.min(lookMs * 2, LONGEST_LOOK_MS);
      const lateMs = this.#clock.now() - this.#terminateAt;
      const isGraceOver = lateMs >= this.#graceMs;
      if (isGraceOver) this.#kill(members);
      else if (lateMs >= 0) this.#terminate(members);
      const untilNextStepMs = isGraceOver ? LONGEST_LOOK_MS : lateMs >= 0 ? this.#graceMs - lateMs : -lateMs;
      await this.#pause(Math.min(lookMs, untilNextStepMs));
    }
  }

  /** The members now; null while the system does not tell, since this process has too many files open. */
  async #look(): Promise<readonly ProcessEntry[] | null> {
    try {
      return this.#membersIn(await nextProcessTable());
    } catch {
      return null;
    }
  }

  /** Cut short when the leader exits or the patience is shortened. */
  #pause(delayMs: number): Promise<void> {
    return new Promise((resolve) => {
      const cancel = this.#clock.schedule(delayMs, resolve);
      this.#wake = () => {
        cancel();
        resolve();
      };
    });
  }

  #membersIn(table: ProcessTable): readonly ProcessEntry[] {
    this.#hasSeenAll = true;
    const members = new Map<number, ProcessEntry>();
    const childrenOf = new Map<number, ProcessEntry[]>();
    for (const entry of table.entries) {
      if (entry.pid === process.pid) continue;
      if (this.#belongs(entry, table)) members.set(entry.pid, entry);
      const siblings = childrenOf.get(entry.parent);
      if (siblings === undefined) childrenOf.set(entry.parent, [entry]);
      else siblings.push(entry);
    }
    // A Map hands out what is added while it is walked, so this reaches every generation.
    for (const pid of members.keys()) {
      for (const child of childrenOf.get(pid) ?? []) members.set(child.pid, child);
    }
    for (const { pid, startedAt } of members.values()) this.#known.set(pid, startedAt);
    const found = [...members.values()];
    // The number of a group and session that have died out may be given to strangers.
    const holdsNumber = ({ group, session }: ProcessEntry): boolean =>
      group === this.#leader || session === this.#leader;
    if (this.#hasLeaderExited && !found.some(holdsNumber)) this.#isNumberHeld = false;
    return found;
  }

  #belongs(entry: ProcessEntry, table: ProcessTable): boolean {
    if (this.#isNumberHeld && (entry.group === this.#leader || entry.session === this.#leader)) return true;
    if (this.#known.get(entry.pid) === entry.startedAt && entry.startedAt !== 0) return true;
    // Nobody who is older than the leader comes from it; this spares reading most environments of the machine.
    if (entry.startedAt < this.#leaderStartedAt) return false;
    const run = table.runOf(entry.pid);
    // Who shows nothing may be a member that is becoming another program. Who shows nothing again has nothing.
    if (run === undefined && this.#blank.get(entry.pid) !== entry.startedAt) {
      this.#blank.set(entry.pid, entry.startedAt);
      this.#hasSeenAll = false;
    }
    return isWithin(run, this.#run);
  }

  // One SIGTERM each, because a program may take a second one as an order to hurry; and none for what a program starts
  // after it was told, because that is how it cleans up.
  #terminate(members: readonly ProcessEntry[]): void {
    const isFirst = this.#told.size === 0;
    const newcomers = members.filter(({ pid, parent }) => !this.#told.has(pid) && !this.#told.has(parent));
    if (isFirst) this.#signalGroup(newcomers, 'SIGTERM');
    for (const member of newcomers) {
      this.#told.add(member.pid);
      if (!isFirst || !this.#isInGroup(member)) sendSignal(member.pid, 'SIGTERM');
    }
  }

  #kill(members: readonly ProcessEntry[]): void {
    this.#signalGroup(members, 'SIGKILL');
    for (const member of members) if (!this.#isInGroup(member)) sendSignal(member.pid, 'SIGKILL');
  }

  // The whole group in one call, so that nobody in it can fork away in between.
  #signalGroup(members: readonly ProcessEntry[], name: 'SIGTERM' | 'SIGKILL'): void {
    if (members.some((member) => this.#isInGroup(member))) sendSignal(-this.#leader, name);
  }

  #isInGroup({ group }: ProcessEntry): boolean {
    return this.#isNumberHeld && group === this.#leader;
  }

  // Windows knows no groups and no SIGTERM: taskkill follows the parents and ends them all.
  #endOnWindows(): Promise<void> {
    if (this.#hasLeaderExited) return Promise.resolve();
    return new Promise((resolve) => {
      execFile('taskkill', ['/PID', String(this.#leader), '/T', '/F'], { windowsHide: true }, () => resolve());
    });
  }
}

// ESRCH: it ended by itself. EPERM: it changed its user; it is waited for all the same, because it still runs.
function sendSignal(pid: number, name: 'SIGTERM' | 'SIGKILL'): void {
  try {
    process.kill(pid, name);
  } catch {}
}

const watched = new Set<ProcessTree>();

function killWatched(): void {
  for (const tree of watched) tree.killNow();
}

// One listener for all trees, and none while there are none.
function watchExit(tree: ProcessTree): void {
  if (watched.size === 0) process.on('exit', killWatched);
  watched.add(tree);
}

function unwatchExit(tree: ProcessTree): void {
  watched.delete(tree);
  if (watched.size === 0) process.off('exit', killWatched);
}
