/** Real processes of the built command line: started, spoken to, killed by pid, and never left behind. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const MAIN = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));

export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Running {
  readonly pid: number;
  readonly ended: Promise<Ended>;
  /** Lines of stdout so far. */
  readonly lines: readonly string[];
  /** What it has written to stderr so far. */
  said(): string;
  /** Resolves with the first line of stdout, parsed; rejects with stderr if there is none. */
  ready(): Promise<Record<string, unknown>>;
  write(text: string): void;
  endInput(): void;
  /** Nobody reads its stderr any more. */
  closeStderr(): void;
  kill(signal?: NodeJS.Signals): void;
}

/** A set of processes that end with it. What they would keep in the home of the user is kept in a folder of their own. */
export class Processes implements AsyncDisposable {
  readonly #home = mkdtempSync(join(tmpdir(), 'pincer-home-'));
  readonly #running = new Set<ChildProcess>();

  start(
    args: readonly string[],
    options: { env?: Record<string, string>; cwd?: string; input?: boolean; stdout?: number } = {},
  ): Running {
    const { PINCER_URL: _url, PINCER_TOKEN: _token, ...env } = process.env;
    const child = spawn(process.execPath, [MAIN, ...args], {
      env: { ...env, NO_COLOR: '1', PINCER_HOME: this.#home, ...options.env },
      ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
      stdio: [options.input === true ? 'pipe' : 'ignore', options.stdout ?? 'pipe', 'pipe'],
    });
    this.#running.add(child);
    const lines: string[] = [];
    let stderr = '';
    let stdout = '';
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      stderr += text;
    });
    child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      stdout += text;
    });
    if (child.stdout !== null) createInterface({ input: child.stdout }).on('line', (line) => lines.push(line));
    const ended = new Promise<Ended>((resolve) => {
      child.once('close', (code, signal) => {
        this.#running.delete(child);
        resolve({ code, signal, stdout, stderr });
      });
    });
    return {
      pid: child.pid ?? 0,
      ended,
      lines,
      said: () => stderr,
      ready: () =>
        new Promise((resolve, reject) => {
          const look = (): void => {
            const [first] = lines;
            if (first !== undefined) resolve(JSON.parse(first) as Record<string, unknown>);
          };
          look();
          child.stdout?.on('data', () => setImmediate(look));
          void ended.then(({ code }) => reject(new Error(`pincer ${args.join(' ')} ended with ${code}: ${stderr}`)));
        }),
      write: (text) => void child.stdin?.write(text),
      endInput: () => void child.stdin?.end(),
      closeStderr: () => void child.stderr?.destroy(),
      kill: (signal = 'SIGKILL') => void child.kill(signal),
    };
  }

  /** Runs a command to its end. */
  run(args: readonly string[], options: { env?: Record<string, string>; cwd?: string } = {}): Promise<Ended> {
    return this.start(args, options).ended;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const left = [...this.#running];
    const gone = left.map((child) => new Promise((resolve) => child.once('close', resolve)));
    for (const child of left) child.kill('SIGKILL');
    await Promise.all(gone);
    rmSync(this.#home, { recursive: true, force: true });
  }
}

/** A gateway process; resolves with its URL. */
export async function startGateway(
  processes: Processes,
  args: readonly string[] = [],
): Promise<{ url: string; process: Running }> {
  const gateway = processes.start(['gateway', '--listen', '127.0.0.1:0', '--json', ...args]);
  const { url } = await gateway.ready();
  return { url: String(url), process: gateway };
}

/** A node process that has joined. */
export async function startNode(
  processes: Processes,
  url: string,
  id: string,
  args: readonly string[],
): Promise<Running> {
  const node = processes.start(['node', '--join', url, '--id', id, '--json', ...args]);
  await node.ready();
  return node;
}
