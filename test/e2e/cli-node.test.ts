/** `pincer node` and what a running task shows: modules, waiting, signals, and text that nobody should trust. */
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { scratchDirectory } from '../handlers/tool-runner.ts';
import { nodeIs, taskIs } from '../support/ledger.ts';
import { Processes, startGateway, startNode } from '../support/processes.ts';

const DOOR = new URL('../../dist/index.js', import.meta.url).href;

function moduleOf(text: string): string {
  const file = path.join(scratchDirectory(), 'handlers.mjs');
  writeFileSync(file, `import { defineHandler, defineTask } from '${DOOR}';\n${text}`);
  return file;
}

describe('pincer node', () => {
  it('runs the handlers that a module exports, by default and by name', async () => {
    await using processes = new Processes();
    const { url } = await startGateway(processes);
    const module = moduleOf(`
      export const double = defineHandler(defineTask('double'), ({ input }) => input * 2);
      export default [defineHandler(defineTask('shout'), async ({ input, progress }) => {
        await progress({ at: 'half' });
        return input.toUpperCase();
      })];
      export const unrelated = { definition: 'text', handler: 42 };
    `);
    const node = processes.start(['node', module, '--id', 'm1', '--json'], { env: { PINCER_URL: url } });
    expect(await node.ready()).toEqual({ event: 'ready', nodeId: 'm1' });
    expect((await processes.run(['run', 'double', '21', '--url', url])).stdout).toBe('42\n');
    const shout = await processes.run(['run', 'shout', '"hello"', '--url', url]);
    expect(shout.stdout).toBe('"HELLO"\n');
    expect(shout.stderr).toContain('"at": "half"');
  });

  it.each([
    ['exports nothing of use', 'export const handler = () => 1;', 'exports no handlers'],
    ['exports what only looks like a handler', 'export default { definition: {}, handler: 1 };', 'exports no handlers'],
    ['throws', "throw new Error('no luck');", 'handlers.mjs:2: Error: no luck'],
    ['is no JavaScript', 'const = 1;', 'handlers.mjs:2: SyntaxError'],
    ['misuses Pincer', "defineTask('');", 'handlers.mjs:2: PincerError'],
    ['misses another', "import './not-there.mjs';", 'not-there.mjs'],
  ])('refuses a module that %s, and says which', async (_, text, reason) => {
    await using processes = new Processes();
    const module = moduleOf(text);
    const { code, stdout, stderr } = await processes.run(['node', module, '--join', 'ws://127.0.0.1:1']);
    expect(stderr).toContain(module);
    expect(stderr).toContain(reason);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
  });

  it('says how a module is loaded that Node does not read by itself', async () => {
    await using processes = new Processes();
    // No Node reads it; the older ones read no `.ts` either.
    const module = path.join(scratchDirectory(), 'handlers.tsx');
    writeFileSync(module, '');
    const { code, stderr } = await processes.run(['node', module, '--join', 'ws://127.0.0.1:1']);
    expect(stderr).toContain('NODE_OPTIONS="--import tsx"');
    expect(code).toBe(2);
  });

  it('goes on when a handler of it rejects where nobody waits, and says so', async () => {
    await using processes = new Processes();
    const { url } = await startGateway(processes);
    const module = moduleOf(`
      export default [
        defineHandler(defineTask('careless'), async () => void Promise.reject(new Error('nobody waits'))),
        defineHandler(defineTask('careful'), () => 'well'),
      ];
    `);
    const node = processes.start(['node', module, '--join', url, '--json']);
    await node.ready();
    await processes.run(['run', 'careless', '--url', url]);
    await expect.poll(() => node.said()).toContain('\n');
    const [line = ''] = node.said().split('\n');
    expect(JSON.parse(line)).toMatchObject({ level: 'error', event: 'handler.rejected-unheard' });
    expect(line).toMatch(/Error: nobody waits.*handlers\.mjs:4/);
    expect((await processes.run(['run', 'careful', '--url', url])).stdout).toBe('"well"\n');
  });

  it('waits for its gateway, says so once, and joins when it is there', async () => {
    await using processes = new Processes();
    const { url, process: gateway } = await startGateway(processes);
    gateway.kill('SIGKILL');
    await gateway.ended;
    const node = processes.start(['node', '--join', url, '--id', 'early', '--allow', 'cat']);
    await expect.poll(() => node.said()).toContain('waiting for the gateway');
    expect(node.lines).toEqual([]);
    await startGateway(processes, ['--listen', new URL(url).host]);
    await expect.poll(() => node.lines).toEqual(['node early has joined, with 5 slots']);
    expect(node.said().match(/waiting for the gateway/g)).toHaveLength(1);
  });

  it.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const)('that has not joined yet ends after %s with %i', async (signal, exit) => {
    await using processes = new Processes();
    const node = processes.start(['node', '--join', 'ws://127.0.0.1:1', '--allow', 'cat']);
    await expect.poll(() => node.said()).toContain('waiting for the gateway');
    node.kill(signal);
    const { code, stderr } = await node.ended;
    expect(stderr).not.toContain('error');
    expect(code).toBe(exit);
  });

  it('ends at once with the second signal, whatever it runs', async () => {
    await using processes = new Processes();
    const { url } = await startGateway(processes);
    const node = await startNode(processes, url, 'stubborn', ['--allow', 'sleep']);
    const payload = '{"command":"sleep","args":["1000"]}';
    const { stdout } = await processes.run(['run', 'tool-execution', payload, '--detach', '--url', url]);
    await taskIs(url, stdout.trim(), 'running');
    node.kill('SIGTERM');
    await nodeIs(url, 'stubborn', 'draining');
    node.kill('SIGTERM');
    expect((await node.ended).code).toBe(143);
  });
});

describe('what a command writes', () => {
  it('is passed on while it runs, without what could move a cursor', async () => {
    await using processes = new Processes();
    const { url } = await startGateway(processes);
    await startNode(processes, url, 'n1', ['--allow', 'sh']);
    const script = "printf 'one\\n\\ttwo\\033[31m\\033]0;owned\\007\\302\\233\\342\\200\\256'; printf 'err\\n' >&2";
    const payload = JSON.stringify({ command: 'sh', args: ['-c', script] });
    const { stdout, stderr } = await processes.run(['run', 'tool-execution', payload, '--url', url]);
    expect(stderr).toContain('one\n\ttwo');
    expect(stderr).toContain('err\n');
    for (const stream of [stdout, stderr]) {
      // biome-ignore lint/suspicious/noControlCharactersInRegex: naming the control characters is the point.
      expect(stream).not.toMatch(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202a-\u202e]/);
    }
    const { stdout: said } = JSON.parse(stdout) as { stdout: string };
    expect(said).toBe('one\n\ttwo\u001b[31m\u001b]0;owned\u0007\u009b\u202e');
  });
});

describe('wrong use with --json', () => {
  it.each([
    ['an unknown option', ['tasks', 'ls', '--frobnicate', '--json'], '--frobnicate'],
    ['a value out of range', ['run', 'x', '--priority', '11', '--json'], 'from 1 to 10'],
    ['a missing argument', ['why', '--json'], 'task'],
    ['a name that is none', ['tasks', 'ls', '--status', 'lost', '--json'], 'lost is none of'],
  ])('is told as data: %s', async (_, args, about) => {
    await using processes = new Processes();
    const { code, stdout, stderr } = await processes.run(args);
    const { error } = JSON.parse(stderr) as { error: { code: string; message: string; hint: string } };
    expect(error).toMatchObject({ code: 'OPTION_INVALID', hint: expect.stringContaining('--help') });
    expect(error.message).toContain(about);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
  });
});
