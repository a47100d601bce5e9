/** `pincer story`: what happened to a task, told by the command line of a real gateway. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Processes, startGateway, startNode } from '../support/processes.ts';

interface Story {
  readonly status: string;
  readonly isWhole: boolean;
  readonly problems: readonly string[];
  readonly events: readonly { n: number; at: number; event: string; says: string; state: string; gateway?: string }[];
  readonly at?: { readonly state: string; readonly node: string | null; readonly takes: readonly string[] };
}

const processes = new Processes();
let url = '';
let taskId = '';

beforeAll(async () => {
  ({ url } = await startGateway(processes, ['--id', 'home']));
  await startNode(processes, url, 'n1', ['--allow', 'sleep']);
  const run = await processes.run([
    'run',
    'tool-execution',
    '{"command":"sleep","args":["0"]}',
    '--url',
    url,
    '--json',
  ]);
  ({ taskId } = JSON.parse(run.stdout) as { taskId: string });
});
afterAll(() => processes[Symbol.asyncDispose]());

const story = (...args: string[]) => processes.run(['story', ...args, '--url', url]);

describe('the story of a task', () => {
  it('has every event with gateway, node, attempt and time, and where the chart was then', async () => {
    const { code, stdout } = await story(taskId, '--json');
    expect(code).toBe(0);
    const told = JSON.parse(stdout) as Story;
    expect(told).toMatchObject({ taskId, status: 'completed', isWhole: true, problems: [] });
    const events = ['task.submitted', 'task.claimed', 'task.assigned', 'attempt.started', 'task.completed'];
    expect(told.events.map(({ event }) => event)).toEqual(events);
    expect(told.events.map(({ state }) => state)).toEqual(['pending', 'assigned', 'assigned', 'running', 'completed']);
    expect(told.events.at(-1)).toMatchObject({
      n: 5,
      attempt: 1,
      node: 'n1',
      gateway: expect.stringMatching(/^home:/),
    });
    for (const { at, says } of told.events) {
      expect(Math.abs(at - Date.now())).toBeLessThan(600_000);
      expect(says).toMatch(/^.{10,}\.$/);
    }
  });

  it('stops at an entry and shows the state of the chart then', async () => {
    const { stdout } = await story(taskId, '--at', '4', '--json');
    const told = JSON.parse(stdout) as Story;
    expect(told.events).toHaveLength(4);
    expect(told.at).toMatchObject({ state: 'running', attempt: 1, node: 'n1', failures: 0 });
    expect(told.at?.takes).toContain('attempt.succeeded');
  });

  it('is for people, too', async () => {
    const { stdout } = await story(taskId, '--at', '5');
    expect(stdout).toMatch(/home +n1 +completed +It completed on n1; the result of attempt 1 counts\./);
    expect(stdout).toContain('The task chart was in completed.');
    expect(stdout).toContain('nothing: it is over');
  });

  it('is refused for a task there is not, and for an entry that there is not', async () => {
    expect((await story('nope')).code).toBe(5);
    const { code, stderr } = await story(taskId, '--at', '6');
    expect(stderr).toContain('has 5 entries');
    expect(code).toBe(2);
  });
});
