import { describe, expect, it } from 'vitest';
import type { FromIsolate } from '../../src/isolation/messages.ts';
import { Resident } from '../../src/isolation/resident.ts';
import { PincerError } from '../../src/protocol/failure.ts';
import { defaultLimits } from '../../src/protocol/limits.ts';
import { decodePayload, encodePayload } from '../../src/transport/payload.ts';
import { fixture } from '../support/isolates.ts';

function aResident(module: string) {
  const posted: FromIsolate[] = [];
  const resident = new Resident((message) => posted.push(message));
  resident.take({ type: 'load', module: fixture(module).href });
  const run = (taskType: string, input: unknown): void =>
    resident.take({
      type: 'run',
      taskType,
      taskId: 't',
      attempt: 1,
      payload: encodePayload(input),
      limits: defaultLimits,
    });
  return { resident, posted, run };
}

describe('what lives in an isolate', () => {
  it('finds the handler by its task type among all that the module exports', async () => {
    const { posted, run } = aResident('handlers');
    run('checked', 1);
    await expect.poll(() => posted.length).toBe(1);
    run('misbehave', { how: 'echo', value: 'well' });
    await expect.poll(() => posted.length).toBe(2);
    expect(posted.map((message) => (message.type === 'returned' ? decodePayload(message.result) : message))).toEqual([
      3,
      'well',
    ]);
  });

  it('passes progress on one by one, as the node takes it', async () => {
    const { resident, posted, run } = aResident('handlers');
    run('misbehave', { how: 'steps', reports: 2 });
    await expect.poll(() => posted.length).toBe(1);
    resident.take({ type: 'progress.taken', failure: null });
    await expect.poll(() => posted.length).toBe(2);
    const failure = new PincerError('PAYLOAD_TOO_LARGE', 'too much').toFailure();
    resident.take({ type: 'progress.taken', failure });
    await expect.poll(() => posted.length).toBe(4);
    expect(posted.map(({ type }) => type)).toEqual(['progress', 'progress', 'progress.failed', 'threw']);
    expect(posted.at(-1)).toEqual({ type: 'threw', failure });
  });

  it('says of progress that it cannot send, which no handler need wait for', async () => {
    const { posted, run } = aResident('handlers');
    run('misbehave', { how: 'careless', bytes: defaultLimits.payloadBytesMax });
    await expect.poll(() => posted.length).toBe(2);
    expect(posted).toMatchObject([
      { type: 'progress.failed', failure: { code: 'PAYLOAD_TOO_LARGE' } },
      { type: 'returned' },
    ]);
  });

  it('says that its module cannot be loaded, once, and runs nothing', async () => {
    const { posted, run } = aResident('broken');
    run('misbehave', {});
    await expect.poll(() => posted).toMatchObject([{ type: 'crashed', failure: { code: 'HANDLER_NOT_LOADED' } }]);
  });

  it('cuts what it says of an error to what the node accepts', () => {
    const { resident, posted } = aResident('handlers');
    resident.crash(new Error('x'.repeat(10_000)));
    expect(posted).toMatchObject([{ type: 'crashed', failure: { code: 'HANDLER_FAILED' } }]);
    expect(posted[0]?.type === 'crashed' && posted[0].failure.message.length).toBe(2_000);
  });
});
