/** What operators do to the queue, through the command line: schedules, types that pause, failed tasks that run again. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
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
    const completed = async (): Promise<number> => {
      const args = ['tasks', 'ls', '--type', 'tool-execution', '--status', 'completed'];
      const { items } = await answerOf<{ items: { key?: string }[] }>(...args);
      return items.filter(({ key }) => key?.startsWith('schedule:tick:')).length;
    };
    await expect.poll(completed, { timeout: 30_000 }).toBeGreaterThanOrEqual(2);
    const listed = await answerOf<{ items: object[]; total: number }>('schedules', 'ls');
    expect(listed).toMatchObject({ total: 1, items: [{ scheduleId: 'tick', everyMs: 1_000, priority: 3 }] });
    expect((await processes.run(['schedules', 'ls', '--url', url])).stdout).toMatch(
      /tick +tool-execution +3 +every 1.0 s/,
    );
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
