/**
 * The handler of `tool-execution`. It is off unless a node is given a list of commands, and it decides everything that a
 * task may not: which program a name stands for, which variables reach it, where it runs, how long and how much.
 *
 * This is an allow-list, not a sandbox: an allowed program can do whatever the user of the node can, with whatever
 * arguments the task gives it. Allow programs that are harmless with any arguments, or run the node as a user who is.
 */
import { realpathSync, statSync } from 'node:fs';
import { realpath, stat } from 'node:fs/promises';
import { isAbsolute, relative, resolve, sep } from 'node:path';
import type { Handler } from '../actors/task-definition.ts';
import { PincerError } from '../protocol/failure.ts';
import { plainText } from '../protocol/identifier.ts';
import { defaultLimits } from '../protocol/limits.ts';
import { checkOptions, checkPort, type Names } from '../protocol/options.ts';
import type { Clock } from '../protocol/ports.ts';
import { type AllowedCommands, CommandList } from './command-list.ts';
import { runCommand } from './command-run.ts';
import { RUN_VARIABLE, runNamed } from './process-table.ts';
import type { toolExecution } from './tool-execution.ts';

/** What a node permits to the tools it runs. */
export interface ToolHandlerOptions {
  /**
   * The commands that may be run: bare names, looked up on PATH once, now; or an object of names and absolute paths.
   * Never empty. A shell or an interpreter in this list allows everything.
   */
  readonly allow: AllowedCommands;
  /**
   * Names of environment variables that a task may set. Default `LANG`, `LC_ALL`, `TZ`: they choose how output reads.
   * Not PATH or HOME, which decide what programs a program starts (`git` runs what `$HOME/.gitconfig` says).
   */
  readonly environment?: readonly string[];
  /**
   * Names of environment variables of this process that every command gets, where they are set. Default `PATH`, `HOME`,
   * `TMPDIR`, `LANG`, `LC_ALL`, `TZ` (and what Windows cannot do without). All others, and the secrets in them, stay here.
   */
  readonly inherit?: readonly string[];
  /** The directory that commands run in and that a task’s `cwd` must stay inside, links resolved. Default: the current one. */
  readonly directory?: string;
  /** How long one command may run, in milliseconds, beside the timeout of its task. Default: as long as the task may. */
  readonly timeoutMs?: number;
  /** Bytes kept of stdout, and of stderr, 1–391 168. Default 262 144 (`toolOutputBytesMax`). What is beyond is read and dropped. */
  readonly outputBytesMax?: number;
  /** From SIGTERM to SIGKILL, in milliseconds, 0–60 000. Default 2 000 (`toolKillGraceMs`). */
  readonly killGraceMs?: number;
  readonly clock: Clock;
}

const TOOL_HANDLER_OPTIONS: Names<ToolHandlerOptions> = {
  allow: true,
  clock: true,
  environment: true,
  inherit: true,
  directory: true,
  timeoutMs: true,
  outputBytesMax: true,
  killGraceMs: true,
};

const ENVIRONMENT = ['LANG', 'LC_ALL', 'TZ'];
const INHERIT = ['PATH', 'HOME', 'TMPDIR', ...ENVIRONMENT];
const INHERIT_ON_WINDOWS = ['SystemRoot', 'SystemDrive', 'PATHEXT', 'TEMP', 'TMP', 'USERPROFILE'];

// Both streams must fit into one result, with room for what is around them.
const OUTPUT_BYTES_MAX = Math.floor((defaultLimits.payloadBytesMax - 4_096) / 2);

// Of all handlers of this process, so that no two runs share a name.
let runs = 0;

/**
 * Makes the handler for `toolExecution`: `node.handle(toolExecution, toolHandler({ allow: ['sha256sum', 'wc'], clock }))`.
 *
 * A command that is told to stop (cancelled, out of time, the node stopping) gets SIGTERM with all its descendants, and
 * SIGKILL after the grace; the attempt ends when none of them is left, and so its slot is free when it looks free. What a
 * command leaves running when it exits gets the grace to finish and is then stopped in the same way. Everything is killed
 * when this process exits. On Windows the tree is ended by `taskkill /T /F`.
 *
 * Attempts fail with PAYLOAD_INVALID (a variable or directory that is not permitted), COMMAND_NOT_ALLOWED, COMMAND_KILLED,
 * TASK_TIMED_OUT (`timeoutMs`), or the reason of the call’s signal.
 * @throws PincerError `OPTION_INVALID` when nothing is allowed, a command is not found, or an option is out of range.
 */
export function toolHandler(options: ToolHandlerOptions): Handler<typeof toolExecution> {
  checkOptions(options, 'toolHandler', 'allow and clock', TOOL_HANDLER_OPTIONS);
  checkPort(options.clock, 'toolHandler: clock', ['now', 'schedule']);
  const { clock, timeoutMs } = options;
  const commands = new CommandList(options.allow, process.env['PATH'] ?? '');
  const settable = new Set(options.environment ?? ENVIRONMENT);
  const inherited = inheritedVariables(options.inherit);
  const root = rootDirectory(options.directory ?? process.cwd());
  const outputBytesMax = ranged(
    'outputBytesMax',
    options.outputBytesMax,
    defaultLimits.toolOutputBytesMax,
    1,
    OUTPUT_BYTES_MAX,
  );
  const killGraceMs = ranged('killGraceMs', options.killGraceMs, defaultLimits.toolKillGraceMs, 0, 60_000);
  if (timeoutMs !== undefined) ranged('timeoutMs', timeoutMs, 1, 1, defaultLimits.taskTimeoutMsMax);

  return async (call) => {
    const { input, signal, taskId, attempt } = call;
    const path = commands.pathOf(input.command);
    for (const name of Object.keys(input.env)) {
      if (!settable.has(name)) {
        const names = [...settable].join(', ') || 'none';
        throw new PincerError('PAYLOAD_INVALID', `input.env.${name}: may not be set on this node; allowed: ${names}`);
      }
    }
    const directory = input.cwd === undefined ? root : await directoryInside(root, input.cwd);
    runs += 1;
    // Unique on this machine: the process and its count, beside what people look for.
    const run = runNamed(`${taskId}:${attempt}:${process.pid}.${runs}`);
    return await runCommand(
      {
        name: input.command,
        path,
        args: input.args,
        directory,
        environment: { ...inherited, ...input.env, [RUN_VARIABLE]: run },
        stdin: input.stdin,
        run,
      },
      { signal, timeoutMs, killGraceMs, outputBytesMax, clock, progress: (report) => call.progress(report) },
    );
  };
}

function inheritedVariables(names: readonly string[] | undefined): Record<string, string> {
  const wanted = names ?? (process.platform === 'win32' ? [...INHERIT, ...INHERIT_ON_WINDOWS] : INHERIT);
  const variables: Record<string, string> = {};
  for (const name of wanted) {
    const value = process.env[name];
    if (value !== undefined) variables[name] = value;
  }
  return variables;
}

function rootDirectory(directory: string): string {
  try {
    const root = realpathSync(directory);
    if (statSync(root).isDirectory()) return root;
  } catch (error) {
    throw new PincerError('OPTION_INVALID', `directory: '${plainText(directory)}' cannot be read`, { cause: error });
  }
  throw new PincerError('OPTION_INVALID', `directory: '${plainText(directory)}' is not a directory`);
}

// One answer for "outside" and for "not there": a task must not learn what exists outside.
async function directoryInside(root: string, cwd: string): Promise<string> {
  const directory = await realpath(resolve(root, cwd)).catch(() => null);
  const found = directory === null ? null : await stat(directory).catch(() => null);
  if (directory !== null && found?.isDirectory() && isInside(root, directory)) return directory;
  throw new PincerError('PAYLOAD_INVALID', `input.cwd: '${plainText(cwd)}' is no directory inside the node’s`);
}

function isInside(root: string, directory: string): boolean {
  const way = relative(root, directory);
  return way === '' || (way !== '..' && !way.startsWith(`..${sep}`) && !isAbsolute(way));
}

function ranged(name: string, value: number | undefined, fallback: number, min: number, max: number): number {
  const chosen = value ?? fallback;
  if (Number.isInteger(chosen) && chosen >= min && chosen <= max) return chosen;
  throw new PincerError('OPTION_INVALID', `${name} is ${chosen}, must be a whole number from ${min} to ${max}`);
}
