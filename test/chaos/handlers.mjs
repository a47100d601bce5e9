// The handlers of the chaos run. Each writes what it does into a ledger of its node before it does anything else, and
// returns a token that no other execution returns. Run from dist, as a user’s module would be.
import { randomUUID } from 'node:crypto';
import { appendFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { defineHandler, defineTask } from 'pincer/node';

const node = process.env.CHAOS_NODE ?? 'nobody';
const ledger = path.join(process.env.CHAOS_LEDGER ?? '.', `handlers-${node}-${process.pid}.jsonl`);

function write(kind, { taskId, attempt }, more = {}) {
  const line = { kind, at: Date.now(), taskId, attempt, node, pid: process.pid, ...more };
  appendFileSync(ledger, `${JSON.stringify(line)}\n`);
}

export const work = defineHandler(defineTask('chaos.work'), async (call) => {
  write('began', call);
  const { ms, isFlaky } = call.input;
  await pause(ms, undefined, { signal: call.signal });
  if (isFlaky && call.attempt === 1) {
    write('failed', call);
    throw new Error('fails the first time, as it was told to');
  }
  const token = `${call.taskId}#${call.attempt}@${node}:${randomUUID()}`;
  write('ended', call, { token });
  return token;
});
