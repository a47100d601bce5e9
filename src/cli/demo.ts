/**
 * `pincer demo`: a whole cluster of real processes on this machine, one of them killed half-way, every result checked. It
 * has no privileges: everything it does can be done by hand with the other commands.
 */
import { existsSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { Command } from 'commander';
import { createClient, PincerError, plainText } from '../client.ts';
import { toolExecution } from '../handlers.ts';
import type { SettledTask } from '../index.ts';
import { type Child, startChild } from './child.ts';
import { onStderr, onStdout } from './colours.ts';
import { filesBelow, roundsOf, sumByNode, sumIn, sumProgram } from './demo-files.ts';
import { EXIT, exitCodeOfSignal } from './exit-codes.ts';
import { type SharedOptions, withOutput } from './options.ts';
import { createOutput, duration, type Output, table } from './output.ts';
import { onSignals } from './signals.ts';

const NODES = ['agent-01', 'agent-02', 'agent-03'];
const VICTIM = 1;
const SLOTS = 4;

/** What a package of Pincer consists of: the same files in a clone and when installed. */
const PACKAGE = fileURLToPath(new URL('../../', import.meta.url));
const PACKAGE_FOLDERS = ['dist', 'diagrams', 'docs'];

interface DemoOptions extends SharedOptions {
  readonly dir?: string;
  readonly once?: boolean;
}

interface Checked {
  readonly task: SettledTask<{ readonly stdout: string }>;
  readonly isRight: boolean;
}

export function demoCommand(): Command {
  return withOutput(new Command('demo'))
    .option('--dir <dir>', 'hash the files of this directory (default: those of this package)')
    .option('--once', 'run once and end (as it does anyway; for scripts)')
    .action(async (options: DemoOptions) => {
      const output = createOutput(options);
      const children: Child[] = [];
      const off = onSignals((signal) => {
        for (const child of children) child.kill('SIGKILL');
        process.exit(exitCodeOfSignal(signal));
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
  const program = sumProgram();
  const directory = path.resolve(options.dir ?? PACKAGE);
  if (!existsSync(directory)) throw new PincerError('OPTION_INVALID', `there is no directory ${directory}`);
  const files = await filesBelow(directory, options.dir === undefined ? PACKAGE_FOLDERS : undefined);
  const rounds = roundsOf(files.length);
  const work = Array.from({ length: rounds }, () => files).flat();
  const { bold } = onStderr;

  output.say(bold('1. A gateway and three nodes, each a process of its own.'));
  const start = async (args: readonly string[]): Promise<Child> => {
    const child = await startChild(args);
    children.push(child);
    return child;
  };
  const gateway = await start(['gateway', '--listen', '127.0.0.1:0', '--store', 'memory']);
  const url = String(gateway.ready['url']);
  output.say(`   The gateway listens at ${url} (pid ${gateway.pid}).`);
  const nodeArgs = ['--join', url, '--max-tasks', String(SLOTS), '--allow', program.command];
  const started = await Promise.allSettled(NODES.map((id) => start(['node', '--id', id, ...nodeArgs])));
  const nodes = started.map((one) => {
    if (one.status === 'rejected') throw one.reason;
    return one.value;
  });
  for (const [index, node] of nodes.entries()) {
    output.say(
      `   ${NODES[index]} has joined with ${SLOTS} slots (pid ${node.pid}). It may run one command: ${program.command}.`,
    );
  }

  output.say(bold(`2. One task for each of ${files.length} files in ${plainText(directory)}: its SHA-256 sum.`));
  if (rounds > 1) output.say(`   These are few, so each is summed ${rounds} times: ${work.length} tasks.`);
  await using client = createClient({ url });
  await client.ready();
  const victim = nodes[VICTIM];
  let done = 0;
  let killedAt: number | null = null;
  const checks = await Promise.all(
    work.map(async (file): Promise<Checked> => {
      const args = [...program.args, path.join(directory, file)];
      const task = await client.submit(toolExecution, { command: program.command, args }).outcome();
      done += 1;
      if (killedAt === null && done >= work.length / 2 && victim !== undefined) {
        killedAt = done;
        victim.kill('SIGKILL');
        output.say(
          bold(`3. Half-way, at ${done} results, ${NODES[VICTIM]} is killed with SIGKILL. It gets no last word.`),
        );
        output.say('   Its tasks wait for the resume window, in case it comes back, and are then placed elsewhere.');
      }
      const sum = await sumByNode(path.join(directory, file));
      return { task, isRight: sum !== null && sumIn(task.result?.stdout ?? '') === sum };
    }),
  );

  output.say(bold('4. Every result is held against node:crypto.'));
  const right = checks.filter((check) => check.isRight).length;
  const { items, total } = await client.tasks({ status: ['completed'], limit: 1_000 });
  // By the gateway’s own record: `attempts` leaves out one whose node died before it could say that it had started.
  const takenOver = new Set(items.filter(({ crashes }) => crashes > 0).map(({ taskId }) => taskId));
  const perNode = NODES.map((nodeId, index) => ({
    nodeId,
    results: checks.filter(({ task }) => task.node === nodeId).length,
    takenOver: checks.filter(({ task }) => task.node === nodeId && takenOver.has(task.taskId)).length,
    fate: index === VICTIM ? 'killed half-way' : 'ran to the end',
  }));
  const isRight = right === work.length && total === work.length && victim?.isRunning === false;
  const tookMs = Math.round(performance.now() - startedAt);
  output.result(
    {
      files: files.length,
      tasks: work.length,
      right,
      takenOver: takenOver.size,
      completed: total,
      nodes: perNode,
      tookMs,
      ok: isRight,
    },
    () =>
      [
        '',
        table(
          ['node', 'results', 'taken over', ''],
          perNode.map(({ nodeId, results, takenOver, fate }) => [nodeId, results, takenOver, fate]),
        ),
        '',
        isRight
          ? `${onStdout.green('All right.')} ${work.length} tasks, ${right} right results, each exactly one; ${takenOverOf(takenOver.size)}. ${duration(tookMs)}.`
          : `${onStdout.red('Not right.')} ${right} of ${work.length} results are right; the gateway counts ${total} completed.`,
      ].join('\n'),
  );
  const pincer = invocationOf(process.argv[1] ?? '', process.env);
  output.say('');
  output.say('Next, in three terminals:');
  output.say(`   ${pincer} gateway`);
  output.say(`   ${pincer} node --id laptop --allow wc`);
  output.say(`   ${pincer} run tool-execution '{"command":"wc","args":["-w"],"stdin":"three words here"}'`);
  output.say(`and then \`${pincer} nodes ls\`, \`${pincer} tasks ls\`, \`${pincer} --help\`.`);
  if (!isRight) process.exitCode = EXIT.taskFailed;
}

function takenOverOf(count: number): string {
  if (count === 0) return 'the killed node held none';
  return `${count} that the killed node held ${count === 1 ? 'was' : 'were'} taken over by the others`;
}

/** How this program was called, so that the next commands work as they are printed: in a clone, `pincer` is not on PATH. */
export function invocationOf(script: string, environment: Readonly<Record<string, string | undefined>>): string {
  if (environment['npm_command'] === 'exec') return 'npx pincer';
  if (path.basename(script) !== 'main.js') return 'pincer';
  return `node ${path.relative(process.cwd(), script)}`;
}
