/** Starting a server: why it cannot listen where it is told to, with the mend. */
import type { Server } from 'node:net';
import { PincerError } from '../protocol/failure.ts';
import { joinAddress } from './discovery/address.ts';

/** By the code that the system gives. */
const MENDS: Readonly<Record<string, string>> = {
  EADDRINUSE: 'Another process listens there: choose another port, or stop that one.',
  EADDRNOTAVAIL: 'That is no address of this machine: listen at one that is, such as 127.0.0.1.',
  EACCES: 'This user may not listen at that port: choose one from 1024 on.',
  ENOTFOUND: 'There is no such name: listen at an address of this machine, such as 127.0.0.1.',
};

/**
 * Resolves once the server listens.
 * @throws PincerError `OPTION_INVALID`; `taken` is the mend where another process listens there.
 */
export function listening(server: Server, at: { host: string; port: number }, taken?: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const onError = (error: NodeJS.ErrnoException): void => {
      const { code = '' } = error;
      const what = `cannot listen on ${joinAddress(at.host, at.port)} (${code === '' ? error.message : code})`;
      const hint = (code === 'EADDRINUSE' ? taken : undefined) ?? MENDS[code];
      reject(
        new PincerError('OPTION_INVALID', what, { cause: error, hint: hint ?? 'Choose another port or address.' }),
      );
    };
    // Stays: what goes wrong with one connection later (too many open files) must not end the process; the peer dials again.
    server.on('error', onError);
    server.listen(at, resolve);
  });
}
