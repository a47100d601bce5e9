import { memoryOutbox } from '../../../src/actors/node/outbox.ts';
import { outboxConformance } from '../../conformance/outbox.ts';

outboxConformance('the outbox in memory', () => {
  const outbox = memoryOutbox();
  return () => outbox;
});
