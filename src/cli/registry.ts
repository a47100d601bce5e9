/** `pincer registry`: where nodes and gateways that are not on one network find each other. */
import { Command, Option } from 'commander';
import { createRegistry } from '../registry.ts';
import { parseDuration, parsePlace } from './option-values.ts';
import { logOf, type SharedOptions, withOutput } from './options.ts';
import { createOutput } from './output.ts';
import { secretIn } from './secret-file.ts';
import { onSignals } from './signals.ts';
import { versionOf } from './version.ts';

interface RegistryCommandOptions extends SharedOptions {
  readonly listen: string;
  readonly apiKeyFile: string;
  readonly data?: string;
  readonly ttl: number;
}

export function registryCommand(): Command {
  return withOutput(new Command('registry'))
    .option(
      '--listen <host:port>',
      'where to listen, over plain HTTP; beyond this machine, put TLS before it',
      '127.0.0.1:7480',
    )
    .requiredOption('--api-key-file <file>', 'file with the key that clients must send')
    .option('--data <folder>', 'keep registrations here, so that they outlive this process', parsePlace)
    .addOption(
      new Option('--ttl <duration>', 'how long a registration lasts without a heartbeat')
        .argParser(parseDuration)
        .default(30_000, '30s'),
    )
    .option('--verbose', 'log every registration to stderr')
    .addHelpText('after', '\nThe API is described at /openapi.json. Stops with SIGTERM or Ctrl-C.')
    .action(async (options: RegistryCommandOptions) => {
      const output = createOutput(options);
      const { listen, apiKeyFile, data, ttl } = options;
      const registry = await createRegistry({
        listen,
        apiKey: secretIn(apiKeyFile, '--api-key-file'),
        ttlMs: ttl,
        version: versionOf(),
        log: logOf(options),
        ...(data === undefined ? {} : { folder: data }),
      });
      let off = (): void => {};
      const stopped = new Promise<void>((resolve) => {
        off = onSignals(() => resolve());
      });
      output.result(
        { event: 'ready', url: registry.url, leases: registry.size },
        () => `registry listens at ${registry.url}, with ${registry.size} leases`,
      );
      await stopped;
      await registry.close();
      off();
    });
}
