/** The tests here run xstate’s development build; users mostly run the other one. */
import { expect, it } from 'vitest';
import { charts } from '../../src/machines/index.ts';
import { runAlone } from '../support/lone-process.ts';

it('A compiled chart is the same as its machine with the production build of xstate', async () => {
  const { code, stdout, stderr } = await runAlone(PROGRAM);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  const { isProduction, walked, events, different } = JSON.parse(stdout);
  expect({ isProduction, walked, different }).toEqual({
    isProduction: true,
    walked: Object.keys(charts),
    different: [],
  });
  expect(events).toBeGreaterThan(500);
}, 60_000);

/** Walks every path of every chart, with an event too many and one that is none, and compares what is seen of both. */
const PROGRAM = `
import { createActor, raise } from 'xstate';
import { compile } from './src/compile/compile.ts';
import { charts } from './src/machines/index.ts';
import { reach } from './test/support/reach.ts';

let isProduction = true;
// Only the development build throws here.
try { raise({ type: 'x' })(); } catch { isProduction = false; }
let events = 0;
const different = [];

function livesOf(logic, input, sent) {
  const seen = [];
  const actor = createActor(logic, { input, inspect: ({ type, event, action, snapshot }) => seen.push([type, event, action, snapshot]) });
  actor.on('*', (command) => seen.push(command));
  actor.subscribe({ error: (error) => seen.push(String(error)), complete: () => seen.push('complete') });
  actor.start();
  for (const event of sent) {
    actor.send(event);
    seen.push(actor.getSnapshot(), actor.getPersistedSnapshot());
  }
  return JSON.stringify(seen);
}

for (const [name, machine] of Object.entries(charts)) {
  const compiled = compile(machine);
  for (const { input, steps } of reach(name)) {
    const way = steps.map(({ event }) => event);
    for (const last of [{ type: 'nobody.knows' }, { type: '*' }, {}]) {
      const sent = [...way, last];
      events += sent.length;
      if (livesOf(machine, input, sent) !== livesOf(compiled, input, sent)) different.push([name, sent]);
    }
  }
}
console.log(JSON.stringify({ isProduction, walked: Object.keys(charts), events, different }));
`;
