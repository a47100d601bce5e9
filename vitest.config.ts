/**
 * Four projects: `unit` (everything in one process), `e2e` (real processes, against dist), `chaos` (the same, with nothing
 * beside it) and `types` (what the public types accept and refuse). `npm test` runs all four; `npm run dev` watches the first.
 */
import { defineConfig } from 'vitest/config';
import { LongestFirst } from './test/support/longest-first.ts';

const isCi = process.env['CI'] !== undefined && process.env['CI'] !== '';

const CHAOS = 'test/e2e/chaos.test.ts';

/** What tests of real processes need: dist, and time. */
const PROCESSES = {
  globalSetup: ['test/support/build.ts'],
  testTimeout: 300_000,
  hookTimeout: 300_000,
  expect: { poll: { timeout: 60_000 } },
};

export default defineConfig({
  resolve: {
    // Tests and examples may import Pincer by name, as users do; they get the sources.
    alias: [
      { find: /^pincer$/, replacement: new URL('src/index.ts', import.meta.url).pathname },
      { find: /^pincer\/(.*)$/, replacement: new URL('src/$1.ts', import.meta.url).pathname },
    ],
  },
  test: {
    // What is waited for comes when it comes: on a busy machine a minute is nothing. Only what hangs is ended.
    testTimeout: 120_000,
    hookTimeout: 120_000,
    expect: { poll: { timeout: 30_000 } },
    // Twice what a small machine has cores: many files wait for sockets, leases and processes half of their time.
    maxWorkers: 4,
    sequence: { sequencer: LongestFirst },
    allowOnly: !isCi,
    passWithNoTests: false,
    reporters: isCi ? ['default', 'json'] : ['default'],
    outputFile: { json: 'coverage/tests.json' },
    projects: [
      {
        extends: true,
        test: {
          name: 'unit',
          include: ['test/**/*.test.ts'],
          exclude: ['test/e2e/**'],
          // Nothing of Pincer is global, so that files may share a process; loading it anew for each took half their time.
          isolate: false,
          restoreMocks: true,
          unstubEnvs: true,
        },
      },
      {
        extends: true,
        test: {
          name: 'e2e',
          include: ['test/e2e/**/*.test.ts'],
          exclude: [CHAOS],
          ...PROCESSES,
        },
      },
      {
        extends: true,
        test: {
          name: 'chaos',
          include: [CHAOS],
          ...PROCESSES,
          // It judges how much is run again, and that is more the later a busy machine lets a gateway take over.
          sequence: { groupOrder: 1 },
        },
      },
      {
        extends: true,
        test: {
          name: 'types',
          include: [],
          // Errors elsewhere are `npm run typecheck`’s to report.
          typecheck: {
            enabled: true,
            only: true,
            include: ['test/types/**/*.test-d.ts'],
            // Of the sources what these tests import; `npm run typecheck` has just read them all.
            tsconfig: 'test/types/tsconfig.json',
            ignoreSourceErrors: true,
          },
        },
      },
    ],
    coverage: {
      provider: 'v8',
      include: ['src/**/*.ts'],
      // These run as processes and threads of their own in the e2e tests, where no coverage is collected.
      exclude: ['src/cli/**', 'src/isolation/**'],
      // In CI nothing may follow the runner’s closing lines but the tally.
      reporter: isCi ? ['json-summary'] : ['text-summary', 'html', 'json-summary'],
      thresholds: { lines: 85, statements: 85, functions: 85, branches: 75 },
    },
  },
});
