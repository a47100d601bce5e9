import { expect, it } from 'vitest';
import { createMachine } from 'xstate';
import { chartsOf, logicOf } from '../../../src/actors/charts/charts.ts';
import { createGateway } from '../../../src/actors/gateway/gateway.ts';
import { charts } from '../../../src/machines/index.ts';

it('Every chart is compiled, once, unless it is to be interpreted', () => {
  for (const machine of Object.values(charts)) {
    const logic = logicOf(machine, 'compiled');
    expect(logic).not.toBe(machine);
    expect(logicOf(machine, 'compiled')).toBe(logic);
    expect(logicOf(machine, 'interpreted')).toBe(machine);
  }
});

it('A chart that cannot be compiled is interpreted', () => {
  const timer = createMachine({ initial: 'on', states: { on: { after: { 10: 'off' } }, off: {} } });
  expect(logicOf(timer, 'compiled')).toBe(timer);
});

it('Charts are compiled unless somebody says otherwise, and a word that means nothing is refused', async () => {
  expect([chartsOf(), chartsOf('interpreted')]).toEqual(['compiled', 'interpreted']);
  await expect(createGateway({ charts: 'quick' as 'compiled' })).rejects.toMatchObject({
    code: 'OPTION_INVALID',
    message: "charts is 'quick', must be 'compiled' or 'interpreted'",
  });
});
