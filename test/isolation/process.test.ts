/** Isolates that are processes, where they cannot even be started. What they do when they run is in test/e2e. */
import { expect, it } from 'vitest';
import { flagsOf } from '../../src/isolation/built.ts';
import { runAlone } from '../support/lone-process.ts';

const source = (file: string): string => JSON.stringify(new URL(`../../src/${file}`, import.meta.url).href);

it.runIf(process.platform === 'linux')('fails, and says why, while its node has too many files open', async () => {
  const { code, stdout, stderr } = await runAlone(
    `
    import { openSync } from 'node:fs';
    import { startProcess } from ${source('isolation/process.ts')};
    import { systemClock } from ${source('actors/world/system-clock.ts')};
    try { for (;;) openSync('/dev/null'); } catch {}
    const isolate = startProcess({ memoryBytesMax: 67108864, killGraceMs: 100, clock: systemClock(), onMessage() {} });
    isolate.end();
    const { code, message, retryable } = await isolate.ended;
    console.log(code, message, retryable);
    process.exit(0);
    `,
    [],
    { filesMax: 256 },
  );
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  expect(stdout).toMatch(/^HANDLER_NOT_LOADED spawn .* EMFILE true\n$/);
});

it.each([
  [['-e', 'work()'], []],
  [
    ['--import', 'tsx', '--input-type=module', '--eval', 'work()', '--enable-source-maps'],
    ['--import', 'tsx', '--enable-source-maps'],
  ],
  [['--eval=work()', '-p', 'work()', '--input-type', 'module'], []],
  [
    ['--conditions=test', '-r', './set-up.cjs'],
    ['--conditions=test', '-r', './set-up.cjs'],
  ],
])('is started with the flags of its node, but for what that itself runs: %j', (execArgv, flags) => {
  expect(flagsOf(execArgv)).toEqual(flags);
});
