/**
 * What processes there are, as the operating system tells: /proc on Linux, `ps` elsewhere. Read synchronously, because it
 * must also work while this process exits. One look serves everyone who asked for one in the same turn.
 */
import { execFileSync } from 'node:child_process';
import { closeSync, existsSync, openSync, readdirSync, readFileSync, readSync } from 'node:fs';

/** One living process; what has ended and only waits to be reaped is left out. */
export interface ProcessEntry {
  readonly pid: number;
  readonly parent: number;
  readonly group: number;
  /** 0 where the system does not tell. */
  readonly session: number;
  /** On a scale of the system’s own: with the pid it names a process for good. 0 where the system does not tell. */
  readonly startedAt: number;
}

/** The variable by which a run’s processes know it, and we them: it stays when a process leaves its group and parent. */
export const RUN_VARIABLE = 'PINCER_RUN';

/** What a run is called that this process starts: where that belongs to a run itself, as an isolate does, it is a part of it. */
export function runNamed(name: string): string {
  const own = process.env[RUN_VARIABLE] ?? '';
  return own === '' ? name : `${own}/${name}`;
}

/** Whether a run is another one, or was started within it. */
export function isWithin(run: string | null | undefined, other: string): boolean {
  return run === other || (run?.startsWith(`${other}/`) ?? false);
}

// Against a machine that starts processes faster than they can be listed.
const READINGS_MAX = 20;

const hasProc = process.platform === 'linux' && existsSync('/proc/self/stat');

/** The processes at one moment. */
export class ProcessTable {
  readonly entries: readonly ProcessEntry[];
  readonly #runs = new Map<number, string | null | undefined>();

  /** @throws what the system says while this process has too many files open to look */
  constructor(source: 'proc' | 'ps' = hasProc ? 'proc' : 'ps') {
    this.entries = source === 'proc' ? entriesFromProc() : entriesFromPs();
  }

  /**
   * The run that a process was started in, from its environment: null if it has none or does not show it to us, undefined
   * if it shows nothing at all, because it has ended, is just becoming another program, or was started with nothing.
   */
  runOf(pid: number): string | null | undefined {
    if (!this.#runs.has(pid)) this.#runs.set(pid, hasProc ? runFromProc(pid) : null);
    return this.#runs.get(pid);
  }
}

const statBuffer = Buffer.alloc(4_096);

let coming: Promise<ProcessTable> | null = null;

/** A table read after this call: at the end of the turn, once for all who ask until then. Rejects as the table throws. */
export function nextProcessTable(): Promise<ProcessTable> {
  coming ??= new Promise<void>((resolve) => setImmediate(resolve)).then(() => {
    coming = null;
    return new ProcessTable();
  });
  return coming;
}

/** When a process started, as in its entry; 0 if that cannot be told. */
export function startOf(pid: number): number {
  try {
    const fields = hasProc ? statOf(pid) : null;
    return fields === null ? 0 : Number(fields[19]);
  } catch {
    return 0;
  }
}

// Processes come and go while the list is read. It is read until it names nobody new: whoever lived at that moment is in.
function entriesFromProc(): ProcessEntry[] {
  const entries: ProcessEntry[] = [];
  const seen = new Set<string>();
  for (let reading = 0; reading < READINGS_MAX; reading++) {
    const seenBefore = seen.size;
    for (const name of readdirSync('/proc')) {
      if (seen.has(name) || !/^\d+$/.test(name)) continue;
      seen.add(name);
      const entry = entryOf(Number(name));
      if (entry !== null) entries.push(entry);
    }
    if (seen.size === seenBefore) break;
  }
  return entries;
}

function entryOf(pid: number): ProcessEntry | null {
  const fields = statOf(pid);
  if (fields === null || fields[0] === 'Z' || fields[0] === 'X') return null;
  return {
    pid,
    parent: Number(fields[1]),
    group: Number(fields[2]),
    session: Number(fields[3]),
    startedAt: Number(fields[19]),
  };
}

// The fields of proc_pid_stat(5) from `state` on. The second field is a name that may hold anything, so count from its end.
function statOf(pid: number): string[] | null {
  let file: number;
  try {
    file = openSync(`/proc/${pid}/stat`, 'r');
  } catch (error) {
    if (isOutOfFiles(error)) throw error;
    return null; // It ended meanwhile.
  }
  // One read into one buffer: readFileSync takes twice as long, and there may be hundreds of processes.
  try {
    const stat = statBuffer.toString('latin1', 0, readSync(file, statBuffer));
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  } catch {
    return null; // As above, ESRCH.
  } finally {
    closeSync(file);
  }
}

// Then nothing can be read of anybody: that is not to be taken for a process that has ended.
function isOutOfFiles(error: unknown): boolean {
  return ['EMFILE', 'ENFILE'].includes(codeOf(error));
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : '';
}

function runFromProc(pid: number): string | null | undefined {
  let environment: string;
  try {
    environment = `\0${readFileSync(`/proc/${pid}/environ`, 'latin1')}`;
  } catch (error) {
    if (isOutOfFiles(error)) throw error;
    return ['EACCES', 'EPERM'].includes(codeOf(error)) ? null : undefined;
  }
  if (environment === '\0') return undefined;
  const mark = `\0${RUN_VARIABLE}=`;
  const start = environment.indexOf(mark);
  if (start < 0) return null;
  const end = environment.indexOf('\0', start + mark.length);
  return environment.slice(start + mark.length, end < 0 ? undefined : end);
}

function entriesFromPs(): ProcessEntry[] {
  let lines: string;
  try {
    lines = execFileSync('ps', ['-A', '-o', 'pid=,ppid=,pgid=,stat=,lstart='], {
      encoding: 'utf8',
      env: { ...process.env, LC_ALL: 'C' },
      stdio: ['ignore', 'pipe', 'ignore'],
      maxBuffer: 16_777_216,
    });
  } catch {
    return []; // Without `ps` nothing can be told.
  }
  return lines.split('\n').flatMap((line) => {
    const [pid, parent, group, state, ...start] = line.trim().split(/\s+/);
    if (state === undefined || state.startsWith('Z')) return [];
    const startedAt = Date.parse(start.join(' ')) || 0;
    return [{ pid: Number(pid), parent: Number(parent), group: Number(group), session: 0, startedAt }];
  });
}
