/** One run: a fleet under load and faults from a seed, then healed, drained and judged. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { seededRandom } from '../../src/actors/world/seeded-random.ts';
import { type Fault, FaultDeck } from './faults.ts';
import { Fleet } from './fleet.ts';
import { judge, type Terms, type Verdict } from './judge.ts';
import { Ledger, type Line, readLedgers } from './ledger.ts';
import { Load } from './load.ts';

export interface ChaosOptions {
  readonly seconds: number;
  readonly seed: number;
  readonly gateways: number;
  readonly nodes: number;
  /** Tasks a second. */
  readonly rate: number;
  /** From one fault to the next, on average, in milliseconds. */
  readonly everyMs: number;
  /** True: one gateway with its tasks in memory, which is stopped and never killed. */
  readonly inMemory: boolean;
  /** Default: settled within 30 s of quiet, at most 1 % executed again. */
  readonly terms?: Terms;
  /** Told what happens. */
  readonly say?: (text: string) => void;
}

export interface ChaosReport extends Verdict {
  readonly lines: readonly Line[];
  /** Processes that ended though nobody killed them. */
  readonly deaths: readonly string[];
  /** What doctor found when everything was over. */
  readonly doctor: { readonly ok: boolean; readonly text: string };
  readonly isClean: boolean;
  /** Where ledger and store are, if there is something to look for in them. */
  readonly kept: string | null;
}

const SLOTS = 8;
/** As long as some settle, the rest is waited for, but not for ever. */
const DRAIN = { idleMsMax: 20_000, inAllMsMax: 300_000 };
/** What is asked of a run that does not say otherwise. */
const TERMS: Terms = { settledWithinMs: 30_000, againShareMax: 0.01 };

export async function runChaos(options: ChaosOptions): Promise<ChaosReport> {
  const { seed, gateways, nodes, rate, inMemory, say = () => {} } = options;
  const directory = mkdtempSync(path.join(tmpdir(), 'pincer-chaos-'));
  const ledger = new Ledger(directory, 'driver');
  const store = inMemory ? null : path.join(directory, 'store');
  let isOver = true;
  try {
    await using fleet = await Fleet.start({ gateways, nodes, slots: SLOTS, ledger: directory, store });
    say(`${gateways} gateways and ${nodes} nodes are up; seed ${seed}, ${rate} tasks a second`);
    await using load = new Load({ urls: fleet.urls, ledger, dice: seededRandom(seed * 31 + 1) });
    await load.ready();
    load.start(rate);
    await strike(fleet, ledger, options);
    load.pause();
    await fleet.heal();
    ledger.write({ kind: 'healed', at: Date.now() });
    say(`healed; ${load.settled} of ${load.acknowledged.size} have settled`);
    await load.drain(DRAIN);
    await load.askForAll();
    const doctor = await fleet.run(['doctor', '--url', fleet.directUrl, '--limit', '1000000']);
    await load.stop();
    const lines = readLedgers(directory);
    const verdict = judge(lines, options.terms ?? TERMS);
    const deaths = [...fleet.gateways, ...fleet.nodes].flatMap((member) => member.deaths);
    const isClean = verdict.violations.length === 0 && deaths.length === 0 && doctor.code === 0;
    isOver = isClean;
    const text = doctor.stdout + doctor.stderr;
    return {
      ...verdict,
      lines,
      deaths,
      doctor: { ok: doctor.code === 0, text },
      isClean,
      kept: isClean ? null : directory,
    };
  } finally {
    ledger.close();
    if (isOver) rmSync(directory, { recursive: true, force: true });
  }
}

/** One fault after the other until the time is over, each undone after its own time. */
async function strike(
  fleet: Fleet,
  ledger: Ledger,
  { seconds, seed, everyMs, inMemory, say = () => {} }: ChaosOptions,
): Promise<void> {
  const dice = seededRandom(seed);
  const deck = new FaultDeck(fleet, dice, { killsGateways: !inMemory });
  const until = performance.now() + seconds * 1_000;
  const struck = new Map<string, Promise<void>>();
  for (;;) {
    await pause(Math.max(0, Math.min(everyMs * (0.5 + dice()), until - performance.now())));
    if (performance.now() >= until) break;
    const fault = deck.deal(new Set(struck.keys()));
    if (fault === null) continue;
    ledger.write({ kind: 'fault', at: Date.now(), fault: fault.name, victim: fault.victim, lastsMs: fault.lastsMs });
    say(`${fault.name}: ${fault.victim}${fault.lastsMs > 0 ? ` for ${fault.lastsMs} ms` : ''}`);
    const over = suffer(fault)
      // A member that does not start again has said why in its deaths.
      .catch((error: unknown) => say(String(error)))
      .finally(() => struck.delete(fault.victim));
    struck.set(fault.victim, over);
  }
  await Promise.all(struck.values());
}

async function suffer(fault: Fault): Promise<void> {
  await fault.strike();
  await pause(fault.lastsMs);
  await fault.undo();
}
