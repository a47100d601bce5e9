/**
 * `pincer demo`: a whole cluster of real processes on this machine, one of them killed half-way, every result checked. It
 * has no privileges: everything it does can be done by hand with the other commands.
 */
import { createHash } from 'node:crypto';
import { readdir, readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { Command } from 'commander';
import picocolors from 'picocolors';
import { toolExecution } from '../handlers.ts';
import { createClient, PincerError, type SettledTask } from '../index.ts';
import { type Child, startChild } from './child.ts';
import { EXIT } from './exit-codes.ts';
import { type SharedOptions, withOutput } from './options.ts';
import { createOutput, duration, type Output, table } from './output.ts';
import { onSignals } from './signals.ts';

const NODES = ['agent-01', 'agent-02', 'agent-03'];
const SLOTS = 4;
const FILES_MAX = 400;
const FILE_BYTES_MAX = 16_777_216;

interface DemoOptions extends SharedOptions {
  readonly dir?: string;
  readonly once?: boolean;
}

interface Checked {
  readonly file: string;
  readonly task: SettledTask<{ readonly stdout: string }>;
  readonly isRight: boolean;
}

export function demoCommand(): Command {
  return withOutput(new Command('demo'))
    .description('see it work: a gateway and three nodes on this machine, one killed half-way')
    .option('--dir <dir>', 'hash the files of this directory (default: those of this package)')
    .option('--once', 'run once and end (as it does anyway; for scripts)')
    .action(async (options: DemoOptions) => {
      const output = createOutput(options);
      const children: Child[] = [];
      const off = onSignals((signal) => {
        for (const child of children) child.kill('SIGKILL');
        process.exit(signal === 'SIGINT' ? EXIT.interrupted : EXIT.terminated);
      });
      try {
        await play(options, output, children);
      } finally {
        off();
        for (const child of children) child.kill('SIGKILL');
        await Promise.all(children.map((child) => child.ended));
      }
    });
}

async function play(options: DemoOptions, output: Output, children: Child[]): Promise<void> {
  const startedAt = performance.now();
  const directory = path.resolve(options.dir ?? fileURLToPath(new URL('../../', import.meta.url)));
  const files = await filesOf(directory);
  if (files.length === 0) throw new PincerError('OPTION_INVALID', `there are no files to hash in ${directory}`);

  output.say(picocolors.bold('1. A gateway and three nodes, each a process of its own.'));
  const gateway = await startChild(['gateway', '--listen', '127.0.0.1:0']);
  children.push(gateway);
  const url = String(gateway.ready['url']);
  output.say(`   The gateway listens at ${url} (pid ${gateway.pid}).`);
  const nodes = await Promise.all(
    NODES.map((id) =>
      startChild(['node', '--join', url, '--id', id, '--max-tasks', String(SLOTS), '--allow', 'sha256sum']),
    ),
  );
  children.push(...nodes);
  for (const [index, node] of nodes.entries()) {
    output.say(
      `   ${NODES[index]} has joined with ${SLOTS} slots (pid ${node.pid}). It may run one command: sha256sum.`,
    );
  }

  output.say(picocolors.bold(`2. One task for each of ${files.length} files in ${directory}: its SHA-256 sum.`));
  const client = createClient({ url });
  await client.ready();
  const victim = nodes[1];
  let done = 0;
  let killedAt: number | null = null;
  const checks = await Promise.all(
    files.map(async (file): Promise<Checked> => {
      const handle = client.submit(toolExecution, { command: 'sha256sum', args: ['--', path.join(directory, file)] });
      const task = await handle.outcome();
      done += 1;
      if (killedAt === null && done >= files.length / 2 && victim !== undefined) {
        killedAt = done;
        victim.kill('SIGKILL');
        output.say(
          picocolors.bold(`3. Half-way, at ${done} results, ${NODES[1]} is killed with SIGKILL. It gets no last word.`),
        );
        output.say('   Its tasks wait for the resume window, in case it comes back, and are then placed elsewhere.');
      }
      return { file, task, isRight: task.result?.stdout.slice(0, 64) === (await sha256(path.join(directory, file))) };
    }),
  );

  output.say(picocolors.bold('4. Every result is held against node:crypto.'));
  const right = checks.filter((check) => check.isRight).length;
  const again = checks.filter(({ task }) => task.attempts > 1).length;
  const { total } = await client.tasks({ status: ['completed'], limit: 1 });
  await client.stop();
  const perNode = NODES.map((nodeId, index) => ({
    nodeId,
    results: checks.filter(({ task }) => task.node === nodeId).length,
    takenOver: checks.filter(({ task }) => task.node === nodeId && task.attempts > 1).length,
    fate: index === 1 ? 'killed half-way' : 'ran to the end',
  }));
  const isRight = right === files.length && total === files.length;
  const tookMs = Math.round(performance.now() - startedAt);
  output.result(
    { files: files.length, right, retried: again, completed: total, nodes: perNode, tookMs, ok: isRight },
    () =>
      [
        '',
        table(
          ['node', 'results', 'taken over', ''],
          perNode.map(({ nodeId, results, takenOver, fate }) => [nodeId, results, takenOver, fate]),
        ),
        '',
        isRight
          ? `${picocolors.green('All right.')} ${files.length} tasks, ${right} right results, each exactly one; ${again} were run again elsewhere after the kill. ${duration(tookMs)}.`
          : `${picocolors.red('Not right.')} ${right} of ${files.length} results are right; the gateway counts ${total} completed.`,
      ].join('\n'),
  );
  output.say('');
  output.say('Next: in three terminals, from any directory');
  output.say('   pincer gateway');
  output.say('   pincer node --id laptop --allow wc');
  output.say(`   pincer run tool-execution '{"command":"wc","args":["-l","package.json"]}'`);
  output.say('and then `pincer nodes ls`, `pincer tasks ls`, `pincer --help`.');
  if (!isRight) process.exitCode = EXIT.taskFailed;
}

/** The files below a directory, without node_modules and dot directories: at most 400, none above 16 MiB. */
async function filesOf(directory: string): Promise<string[]> {
  const files: string[] = [];
  const open = [''];
  for (let next = open.shift(); next !== undefined && files.length < FILES_MAX; next = open.shift()) {
    const entries = await readdir(path.join(directory, next), { withFileTypes: true });
    for (const entry of entries.sort((one, other) => (one.name < other.name ? -1 : 1))) {
      if (entry.name.startsWith('.') || entry.name === 'node_modules') continue;
      const file = path.join(next, entry.name);
      if (entry.isDirectory()) open.push(file);
      else if (entry.isFile() && (await stat(path.join(directory, file))).size <= FILE_BYTES_MAX) files.push(file);
    }
  }
  return files.slice(0, FILES_MAX);
}

async function sha256(file: string): Promise<string> {
  return createHash('sha256')
    .update(await readFile(file))
    .digest('hex');
}
