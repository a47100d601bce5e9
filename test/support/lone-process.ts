/** Runs a script of ours in a process of its own and tells what became of it. */
import { spawn } from 'node:child_process';

export interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** `filesMax`: how many files it may have open, where there is a shell that can say so. */
export function runAlone(
  script: string,
  flags: readonly string[] = [],
  { filesMax }: { filesMax?: number } = {},
): Promise<Ended> {
  const program = [process.execPath, ...flags, '--import', 'tsx', '--input-type=module', '--eval', script];
  const limited = ['sh', '-c', `ulimit -n ${filesMax} && exec "$@"`, 'sh', ...program];
  const [command = '', ...args] = filesMax === undefined ? program : limited;
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    let [stdout, stderr] = ['', ''];
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text;
    });
    child.on('error', reject);
    child.on('close', (code) => resolve({ code, stdout, stderr }));
  });
}
