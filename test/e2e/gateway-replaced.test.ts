/** A gateway is replaced while the cluster works, as in an upgrade: nobody who works with the cluster notices. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { createClient } from '../../src/client.ts';
import { scratchDirectory } from '../handlers/tool-runner.ts';
import { Processes, startGateway, startNode } from '../support/processes.ts';

const SQUARES = fileURLToPath(new URL('../fixtures/nodes/squares.mjs', import.meta.url));
/** How many more must have ended before the next step, and how often one is submitted. */
const MORE = 100;
const EVERY_MS = 10;
const WORK_MS = 50;

/** Somebody who submits one task after the other, until it is told to stop. */
function startLoad(url: readonly string[], ledger: string) {
  const client = createClient({ url });
  const outcomes: Promise<unknown>[] = [];
  const faults: unknown[] = [];
  let done = 0;
  const timer = setInterval(() => {
    const number = outcomes.length;
    const handle = client.submit('square', { number, ledger, ms: WORK_MS });
    outcomes.push(
      handle.result().then(
        (result) => {
          done += 1;
          return result;
        },
        (error: unknown) => void faults.push(error),
      ),
    );
  }, EVERY_MS);
  return {
    faults,
    /** Resolves when so many more have their result. */
    async more(count: number) {
      const wanted = done + count;
      await expect.poll(() => done).toBeGreaterThanOrEqual(wanted);
    },
    async end() {
      clearInterval(timer);
      const results = await Promise.all(outcomes);
      await client.stop();
      return results;
    },
  };
}

describe('a gateway that is replaced under load', () => {
  it('drains and ends with 0; no submit fails, nothing runs twice, and every result is right', async () => {
    await using processes = new Processes();
    const directory = scratchDirectory();
    const [store, ledger] = [path.join(directory, 'store'), path.join(directory, 'ledger')];
    const start = (id: string, more: readonly string[] = []) =>
      startGateway(processes, ['--store', store, '--id', id, ...more]);
    const one = await start('one');
    const two = await start('two');
    for (const id of ['n1', 'n2'])
      await startNode(processes, `${one.url},${two.url}`, id, [SQUARES, '--max-tasks', '4']);
    const load = startLoad([one.url, two.url], ledger);
    await load.more(MORE);
    for (const old of [one, two]) {
      old.process.kill('SIGTERM');
      expect((await old.process.ended).code).toBe(0);
      await load.more(MORE);
      await start(`heir-of-${old === one ? 'one' : 'two'}`, ['--listen', new URL(old.url).host]);
      await load.more(MORE);
    }
    const results = await load.end();
    expect(load.faults).toEqual([]);
    expect(results).toEqual(results.map((_, number) => number ** 2));
    const begun = readFileSync(ledger, 'utf8').trim().split('\n').map(Number);
    expect(begun.sort((a, b) => a - b)).toEqual(results.map((_, number) => number));
  });
});
