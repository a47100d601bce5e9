/** What operators do to the queue, through the command line: schedules, types that pause, failed tasks that run again. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { taskIs, tasksOf } from '../support/ledger.ts';
import { type Ended, Processes, startGateway, startNode } from '../support/processes.ts';

const processes = new Processes();
let url = '';

beforeAll(async () => {
  ({ url } = await startGateway(processes));
  await startNode(processes, url, 'n1', ['--allow', 'sh', '--max-tasks', '4']);
});
afterAll(() => processes[Symbol.asyncDispose]());

function pincer(...args: string[]): Promise<Ended> {
  return processes.run([...args, '--url', url, '--json']);
}

async function answerOf<Answer>(...args: string[]): Promise<Answer> {
  const { code, stdout, stderr } = await pincer(...args);
  if (code !== 0) throw new Error(`pincer ${args.join(' ')} ended with ${code}: ${stderr}`);
  return JSON.parse(stdout) as Answer;
}

function sh(script: string): string {
  return JSON.stringify({ command: 'sh', args: ['-c', script] });
}

describe('pincer schedules', () => {
  it('keeps a schedule whose tasks run, lists it, and ends it', async () => {
    const added = await pincer(
      'schedules',
      'add',
      'tick',
      'tool-execution',
      sh('echo tick'),
      '--every',
      '1s',
      '--priority',
      '3',
    );
    expect(JSON.parse(added.stdout)).toEqual({ scheduleId: 'tick', status: 'scheduled' });
    const completed = async (): Promise<number> =>
      (await tasksOf(url, { status: ['completed'] })).filter(({ key }) => key?.startsWith('schedule:tick:')).length;
    await expect.poll(completed).toBeGreaterThanOrEqual(2);
    const listed = await answerOf<{ items: object[]; total: number }>('schedules', 'ls');
    expect(listed).toMatchObject({ total: 1, items: [{ scheduleId: 'tick', everyMs: 1_000, priority: 3 }] });
    expect((await processes.run(['schedules', 'ls', '--url', url])).stdout).toMatch(
      /tick +tool-execution +3 +every 1.0 s/,
    );
    await pincer('schedules', 'add', 'tock', 'tool-execution', '--every', '1h');
    const first = await answerOf<{ truncated: boolean; cursor: string }>('schedules', 'ls', '--limit', '1');
    expect(first).toMatchObject({ total: 2, truncated: true });
    expect(await answerOf('schedules', 'ls', '--cursor', first.cursor)).toMatchObject({
      items: [{}],
      total: 2,
      truncated: false,
      cursor: null,
    });
    await pincer('schedules', 'rm', 'tock');
    expect(await answerOf('schedules', 'rm', 'tick')).toEqual({ scheduleId: 'tick', status: 'dropped' });
    expect(await answerOf('schedules', 'ls')).toMatchObject({ items: [], total: 0 });
  });

  it.each([
    ['neither cron nor span', ['add', 'x', 't'], 2, /either --cron or --every/],
    ['a pattern that cannot be read', ['add', 'x', 't', '--cron', '99 * * * *'], 2, /minute: 99/],
    ['a zone there is not', ['add', 'x', 't', '--cron', '0 3 * * *', '--timezone', 'Mars/Olympus'], 2, /Mars\/Olympus/],
    ['a span that is too short', ['add', 'x', 't', '--every', '10ms'], 2, /everyMs .*1000/],
    ['a schedule there is not', ['rm', 'nobody'], 5, /no schedule 'nobody'/],
  ])('says what is wrong with %s', async (_, args, exit, message) => {
    const { code, stdout, stderr } = await pincer('schedules', ...args);
    expect(stdout).toBe('');
    expect(JSON.parse(stderr)).toMatchObject({
      error: { message: expect.stringMatching(message), hint: expect.stringMatching(/\w/) },
    });
    expect(code).toBe(exit);
  });
});

describe('pincer types', () => {
  it('pauses a type, so that why and ls say so, drains it, and resumes it', async () => {
    expect(await answerOf('types', 'pause', 'tool-execution')).toEqual({ type: 'tool-execution', status: 'paused' });
    const { taskId } = await answerOf<{ taskId: string }>('run', 'tool-execution', sh('echo on'), '--detach');
    expect(await answerOf('why', taskId)).toMatchObject({
      summary: "It waits: tasks of type 'tool-execution' are paused.",
    });
    expect(await answerOf('types', 'drain', 'tool-execution')).toEqual({ type: 'tool-execution', status: 'draining' });
    const refused = await pincer('run', 'tool-execution', sh('echo no'), '--detach');
    expect(JSON.parse(refused.stderr)).toMatchObject({
      error: { code: 'TYPE_DRAINING', hint: expect.stringContaining('resume') },
    });
    expect(refused.code).toBe(9);
    expect(await answerOf('types', 'ls')).toEqual({
      paused: ['tool-execution'],
      draining: ['tool-execution'],
      starved: {},
    });
    expect(await answerOf('types', 'resume', 'tool-execution')).toEqual({ type: 'tool-execution', status: 'running' });
    await taskIs(url, taskId, 'completed');
  });

  it('shows with the nodes what none of them can do', async () => {
    await answerOf('run', 'image-analysis', 'null', '--detach', '--key', 'starving');
    const said = await processes.run(['nodes', 'ls', '--url', url]);
    expect(said.stderr).toContain('starved: 1 waiting, and none of these nodes can do them: image-analysis vision');
    expect((await processes.run(['types', 'ls', '--url', url])).stdout).toMatch(/image-analysis vision +starved +1/);
    const { items } = await answerOf<{ items: { taskId: string }[] }>('tasks', 'ls', '--type', 'image-analysis');
    await answerOf('tasks', 'cancel', items[0]?.taskId ?? '');
  });
});

describe('the dead letters', () => {
  it('are listed, and run again one by one or all of a kind', async () => {
    const runs = [1, 2, 3].map((count) =>
      pincer('run', 'tool-execution', sh(`echo ${count}`), '--attempts', '1', '--label', 'x=y', '--ttl', '200ms'),
    );
    for (const { code } of await Promise.all(runs)) expect(code).toBe(6);
    const failed = ['tasks', 'ls', '--status', 'failed', '--type', 'tool-execution'];
    const { items, total } = await answerOf<{ items: { taskId: string; error: { code: string } }[]; total: number }>(
      ...failed,
    );
    expect([total, ...items.map(({ error }) => error.code)]).toEqual([
      3,
      'TASK_EXPIRED',
      'TASK_EXPIRED',
      'TASK_EXPIRED',
    ]);

    const [one = '', two = ''] = items.map(({ taskId }) => taskId);
    expect(await answerOf('tasks', 'retry', one)).toEqual({ taskId: one, status: 'pending' });
    const again = await pincer('tasks', 'retry', two, 'nobody');
    expect(JSON.parse(again.stdout)).toMatchObject({
      retried: 1,
      items: [
        { taskId: two, status: 'pending' },
        { taskId: 'nobody', error: { code: 'TASK_UNKNOWN' } },
      ],
    });
    expect(again.code).toBe(9);

    await expect.poll(() => tasksOf(url, { status: ['failed'], type: 'tool-execution' })).toHaveLength(3);
    const some = await answerOf<{ retried: number; left: number }>(
      'tasks',
      'retry',
      '--failed',
      '--type',
      'tool-execution',
      '--limit',
      '2',
    );
    expect(some).toMatchObject({ retried: 2, left: 1 });
    const wrong = await pincer('tasks', 'retry');
    expect([wrong.code, wrong.stderr]).toEqual([2, expect.stringContaining('--failed')]);
  });
});
