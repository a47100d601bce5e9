import { PassThrough } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { OutputLog } from '../../src/isolation/output-log.ts';
import { keepingLog } from '../support/isolates.ts';

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

function anOutput(bytesMax: number) {
  const { log, logged } = keepingLog();
  const output = new OutputLog(log, bytesMax);
  const source = new PassThrough();
  output.read(source, 'stdout');
  output.begin({ taskId: 't', attempt: 2 });
  return { output, source, logged, texts: () => logged.map(({ fields }) => fields['text']) };
}

describe('what an isolate prints', () => {
  it('is logged line by line, whole characters only, with its attempt', async () => {
    const { source, logged, texts } = anOutput(10_000);
    const euro = Buffer.from('costs 5 €\nand');
    source.write(euro.subarray(0, 9));
    source.write(euro.subarray(9));
    await turn();
    expect(logged).toEqual([
      { event: 'handler.output', fields: { taskId: 't', attempt: 2, stream: 'stdout', text: 'costs 5 €' } },
    ]);
    source.end(' more\r');
    await turn();
    expect(texts()).toEqual(['costs 5 €', 'and more']);
  });

  it('cannot forge a line or move a cursor', async () => {
    const { source, texts } = anOutput(10_000);
    source.write('\u001b[2Jall\u2028is well\n');
    await turn();
    expect(texts()).toEqual(['\uFFFD[2Jall\uFFFDis well']);
  });

  it('is logged up to its limit, which is said once; the rest is read all the same', async () => {
    const { output, source, logged, texts } = anOutput(128);
    source.write('x\n'.repeat(10));
    for (let line = 0; line < 1_000; line++) source.write('x\n');
    await turn();
    expect(texts()).toEqual(['x', 'x', undefined]);
    expect(logged.at(-1)).toEqual({
      event: 'handler.output-truncated',
      fields: { taskId: 't', attempt: 2, bytesMax: 128 },
    });
    expect(source.readableLength).toBe(0);
    output.begin({ taskId: 'u', attempt: 1 });
    source.write('y\n');
    await turn();
    expect(texts().at(-1)).toBe('y');
  });

  it('is cut where a line never ends', async () => {
    const { source, texts } = anOutput(1_000_000);
    source.write('z'.repeat(2_001));
    await turn();
    expect(texts()).toEqual([`${'z'.repeat(1_999)}…`]);
  });
});
