/** Gateways behind a proxy that speaks TLS with a certificate of one’s own, as docs/operating.md says to set them up. */
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { expect, it } from 'vitest';
import { scratchDirectory } from '../handlers/tool-runner.ts';
import { selfSignedCertificate } from '../support/certificate.ts';
import { LEDGER_MODULE } from '../support/ledger.ts';
import { Processes } from '../support/processes.ts';
import { startProxy } from '../support/tcp-proxy.ts';

it('a node and a client come in over wss where they know the certificate, and nobody else does', async () => {
  await using processes = new Processes();
  const directory = scratchDirectory();
  const file = (name: string, text: string): string => {
    writeFileSync(path.join(directory, name), text, { mode: 0o600 });
    return path.join(directory, name);
  };
  const token = ['--token-file', file('token', 'a-token-of-the-test')];
  const gateway = processes.start(['gateway', '--listen', '127.0.0.1:0', '--store', 'memory', '--json', ...token]);
  const certificate = selfSignedCertificate();
  await using proxy = await startProxy(String((await gateway.ready())['url']), certificate);
  const env = { NODE_EXTRA_CA_CERTS: file('gateway.pem', certificate.cert) };

  const node = processes.start(['node', '--join', proxy.url, '--id', 'n1', '--json', ...token, LEDGER_MODULE], { env });
  await node.ready();
  const payload = JSON.stringify({ gate: file('gate', ''), ledger: path.join(directory, 'ledger') });
  const ran = await processes.run(['run', 'work', payload, '--url', proxy.url, ...token], { env });
  expect(ran).toMatchObject({ code: 0, stdout: '1\n' });

  const list = ['nodes', 'ls', '--connect-timeout', '2s', ...token];
  const strange = await processes.run([...list, '--url', proxy.url]);
  expect(strange).toMatchObject({ code: 3, stderr: expect.stringContaining('NODE_EXTRA_CA_CERTS=FILE') });
  const misnamed = await processes.run([...list, '--url', proxy.url.replace('localhost', '127.0.0.1')], { env });
  expect(misnamed).toMatchObject({ code: 3, stderr: expect.stringContaining('dial it by one of those') });
  const waiting = processes.start(['node', '--join', proxy.url, ...token, LEDGER_MODULE]);
  await expect.poll(waiting.said).toContain('NODE_EXTRA_CA_CERTS=FILE');
});
