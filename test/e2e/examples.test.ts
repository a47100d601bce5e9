/** The examples and the code of the pages run, and print what they promise. */
import { describe, expect, it } from 'vitest';
import { read, trackedFiles } from '../house/tree.ts';
import { Processes, startGateway } from '../support/processes.ts';
import { blocksOf, runFiles, runProgram, runSource } from '../support/programs.ts';

/** Modules, and the example that needs a platform: their own tests run them. */
const RUN_ELSEWHERE = ['examples/discord-channel.ts', 'examples/handlers.ts'];

const PRINTS: Readonly<Record<string, string>> = {
  'examples/discovery.ts': 'desk is online, found hub\n',
  'examples/embed.ts': '5 words\n',
  'examples/cancel-and-progress.ts': 'ended as TASK_CANCELLED\n',
  'examples/messages.ts': 'desk asked for the letters of 1924\nclosing time\n',
  'examples/chart-paths.ts': '2 paths cover every state and transition\n',
};

describe('an example', () => {
  it('is run here, or is a module for a node', () => {
    const examples = trackedFiles().filter((file) => file.startsWith('examples/') && file.endsWith('.ts'));
    expect(examples.sort()).toEqual([...Object.keys(PRINTS), ...RUN_ELSEWHERE].sort());
  });

  it.each(Object.entries(PRINTS))('prints what it promises: %s', async (file, printed) => {
    const { code, stdout, stderr } = await runProgram(file);
    expect(stderr).toBe('');
    expect(stdout).toBe(printed);
    expect(code).toBe(0);
  });

  it('of handlers works on a node of the command line', async () => {
    await using processes = new Processes();
    const { url } = await startGateway(processes);
    // Node 20 reads no TypeScript: the loader stands in for the user’s own build.
    const env = { NODE_OPTIONS: '--import tsx' };
    const node = processes.start(['node', 'examples/handlers.ts', '--join', url, '--id', 'n1', '--json'], { env });
    await node.ready();
    const reversed = await processes.run(['run', 'reverse', '{"text":"pincer"}', '--url', url, '--json']);
    expect(JSON.parse(reversed.stdout)).toMatchObject({ status: 'completed', result: 'recnip' });
    const refused = await processes.run(['run', 'sum', '["one"]', '--url', url]);
    expect(refused.stderr).toContain('PAYLOAD_INVALID');
  });
});

describe.each([
  [
    'docs/compiled-charts.md',
    [
      'visitor 1\nvisitor 2\nlocked { visitors: 2 }\n',
      "the chart 'pause' cannot be compiled: after, in 'pause.on'; run it interpreted\n",
    ],
  ],
  [
    'docs/in-an-app.md',
    [
      'reading\n600 words\n',
      "has no handler for 'chat'\n",
      'xstate.init pending\ntask.placed assigned\nattempt.succeeded settling\noutcome.stored completed\n',
      'true\n',
    ],
  ],
  ['docs/messages.md', ['desk asked for letters\n1\n']],
  ['docs/channels.md', ['200 You said: hello\n', 'to {"room":7}: 5 letters\n']],
])('the code in %s', (page, promised) => {
  it('prints what the page says', async () => {
    const printed: string[] = [];
    for (const program of blocksOf(read(page), 'ts')) {
      const { code, stdout, stderr } = await runSource(program);
      expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
      printed.push(stdout);
    }
    expect(printed).toEqual(promised);
  });
});

describe('the code in docs/isolation.md', () => {
  it('prints what the page says, each module under the name that it has there', async () => {
    const files = Object.fromEntries(
      blocksOf(read('docs/isolation.md'), 'js').map((block) => [/^\/\/ (\S+)/.exec(block)?.[1] ?? '', block]),
    );
    expect(Object.keys(files)).toEqual(['handlers.js', 'node.js']);
    expect(await runFiles(files, 'node.js')).toEqual({ code: 0, stdout: '{ found: 168 }\n', stderr: '' });
  });
});

describe('the code in README', () => {
  const page = read('README.md');

  it('begins with the two commands that do everything', () => {
    expect(blocksOf(page, 'sh')[0]).toBe('npm ci && npm run demo\nnpm ci && npm test\n');
  });

  it('runs', async () => {
    const programs = blocksOf(page, 'ts');
    expect(programs.length).toBeGreaterThan(0);
    for (const program of programs) {
      const { code, stdout, stderr } = await runSource(program);
      expect(stderr).toBe('');
      expect(stdout).toBe('HELLO!\n');
      expect(code).toBe(0);
    }
  });
});
