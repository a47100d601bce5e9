/** One process of the fleet: a gateway or a node that is killed, stopped, continued and started again under its name. */
import type { Processes, Running } from '../support/processes.ts';

export class Member {
  readonly name: string;
  readonly kind: 'gateway' | 'node';
  readonly #processes: Processes;
  readonly #args: () => readonly string[];
  readonly #env: Record<string, string>;
  #running: Running | null = null;
  #isStopped = false;
  /** What it said before each of its ends that nobody asked for. */
  readonly deaths: string[] = [];

  constructor(
    processes: Processes,
    {
      name,
      kind,
      args,
      env,
    }: { name: string; kind: Member['kind']; args: () => readonly string[]; env: Record<string, string> },
  ) {
    this.name = name;
    this.kind = kind;
    this.#processes = processes;
    this.#args = args;
    this.#env = env;
  }

  /** Whether it runs, and is not stopped. */
  get isUp(): boolean {
    return this.#running !== null && !this.#isStopped;
  }

  /** Starts it; resolves with its ready line. One that runs is left alone. */
  async start(): Promise<Record<string, unknown>> {
    if (this.#running !== null) return {};
    const running = this.#processes.start(this.#args(), { env: this.#env });
    this.#running = running;
    this.#isStopped = false;
    void running.ended.then(({ code, signal, stderr }) => {
      if (this.#running !== running) return;
      this.#running = null;
      this.deaths.push(`${this.name} ended by itself with ${signal ?? code}: ${stderr.slice(-2_000)}`);
    });
    try {
      return await running.ready();
    } catch (error) {
      // One that is killed while it starts is no surprise; one that ends by itself has its words among the deaths.
      if (this.#running === running) throw error;
      return {};
    }
  }

  /** SIGKILL; resolves when it is gone. */
  async kill(): Promise<void> {
    const running = this.#running;
    this.#running = null;
    this.#isStopped = false;
    running?.kill('SIGKILL');
    await running?.ended;
  }

  /** SIGSTOP: it is there, and does nothing. */
  stop(): void {
    this.#isStopped = true;
    this.#running?.kill('SIGSTOP');
  }

  /** SIGCONT. */
  continue(): void {
    this.#isStopped = false;
    this.#running?.kill('SIGCONT');
  }
}
