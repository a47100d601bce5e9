/** `pincer doctor`: what is wrong with a cluster, and what to do about it. Ends with 10 when something is. */
import { Command, Option } from 'commander';
import { type CheckName, type Client, type Finding, VERSION } from '../index.ts';
import { type Diagnosis, tell } from './diagnosis.ts';
import { examineStore } from './doctor-store.ts';
import { parsePlace, parseWhole } from './option-values.ts';
import { type ClientCommandOptions, DEFAULT_ADDRESS, withClient, withGateway } from './options.ts';
import { createOutput, duration } from './output.ts';
import { storeDir } from './store-place.ts';

interface DoctorOptions extends ClientCommandOptions {
  readonly limit: number;
  readonly store?: string;
}

/** What a checkup over a gateway asks. */
const OVER_A_GATEWAY: readonly CheckName[] = [
  ...(['gateways.lease', 'nodes.health', 'tasks.history', 'tasks.line', 'tasks.owner', 'tasks.overdue'] as const),
  ...(['tasks.starved', 'clock', 'version'] as const),
];

/** Clocks that differ by more give histories in which an answer comes before its question. */
const CLOCK_MS_MAX = 5_000;

export function doctorCommand(): Command {
  return withClient(new Command('doctor'))
    .option('--limit <n>', 'look at so many tasks at most, newest first', parseWhole(1, 10_000_000), 10_000)
    .addOption(
      new Option('--store <dir>', 'look at all of the store in this directory instead, with or without a gateway')
        .argParser(parsePlace)
        .conflicts(['limit', 'url', 'discover']),
    )
    .addHelpText('after', '\nReads only. Exits with 10 when something is wrong.')
    .action(async (options: DoctorOptions) => {
      if (options.store !== undefined) {
        tell(await examineStore(storeDir(options.store, DEFAULT_ADDRESS)), createOutput(options));
        return;
      }
      await withGateway(options, async (client, output) => {
        // The clocks are compared by how long the first answer takes, and the link is none of that.
        await client.ready(options.connectTimeout);
        tell(await examine(client, options.limit), output);
      });
    });
}

async function examine(client: Client, limit: number): Promise<Diagnosis> {
  const findings: Finding[] = [];
  let [left, looked, total] = [0, 0, 0];
  let cursor: string | undefined;
  do {
    const askedAt = Date.now();
    const wanted = Math.min(limit - looked, 1_000);
    const page = await client.doctor({ limit: wanted, ...(cursor === undefined ? {} : { cursor }) });
    if (cursor === undefined) findings.push(...strangersIn(page, askedAt, Date.now()));
    findings.push(...page.findings);
    left += page.left;
    looked += page.looked;
    ({ total, cursor } = page);
  } while (cursor !== undefined && looked < limit);
  return { checks: OVER_A_GATEWAY, findings, left, looked, total };
}

/** What only who asks can see: that the gateway has another time or another version. */
function strangersIn(page: { at: number; version: string }, askedAt: number, answeredAt: number): Finding[] {
  const found: Finding[] = [];
  const aheadMs = page.at > answeredAt ? page.at - answeredAt : Math.min(0, page.at - askedAt);
  if (Math.abs(aheadMs) > CLOCK_MS_MAX) {
    const says = `the gateway’s clock is ${duration(Math.abs(aheadMs))} ${aheadMs > 0 ? 'ahead of' : 'behind'} this machine’s`;
    const mend = 'Set both by NTP. Nothing is decided by wall clocks, but histories and lists show them.';
    found.push({ check: 'clock', severity: 'warn', says, mend });
  }
  if (page.version !== VERSION) {
    const says = `the gateway runs ${page.version}, this command is ${VERSION}`;
    const mend = 'Update the older one. Versions of one protocol work together, and may not say the same of a fault.';
    found.push({ check: 'version', severity: 'warn', says, mend });
  }
  return found;
}
