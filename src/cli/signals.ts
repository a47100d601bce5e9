/** SIGINT and SIGTERM: the first is a request, the second is an order. */
import process from 'node:process';
import { exitCodeOfSignal } from './exit-codes.ts';

/**
 * Calls `onFirst` with the first signal; a second one ends the process at once with 130 or 143.
 * Returns the function that takes the handlers off again.
 */
export function onSignals(onFirst: (signal: 'SIGINT' | 'SIGTERM') => void): () => void {
  let isFirst = true;
  const on = (signal: 'SIGINT' | 'SIGTERM') => (): void => {
    if (!isFirst) process.exit(exitCodeOfSignal(signal));
    isFirst = false;
    onFirst(signal);
  };
  const onInterrupt = on('SIGINT');
  const onTerminate = on('SIGTERM');
  process.on('SIGINT', onInterrupt);
  process.on('SIGTERM', onTerminate);
  return () => {
    process.off('SIGINT', onInterrupt);
    process.off('SIGTERM', onTerminate);
  };
}
