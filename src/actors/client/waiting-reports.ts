/** Progress reports that wait for a reader: the newest of them, as many and as large as may be. */
import type { Limits } from '../../protocol/limits.ts';

export type WaitingLimits = Pick<Limits, 'progressWaitingMax' | 'progressWaitingBytesMax'>;

export class WaitingReports<Report> {
  readonly #limits: WaitingLimits;
  readonly #reports: { readonly report: Report; readonly bytes: number }[] = [];
  #bytes = 0;

  constructor(limits: WaitingLimits) {
    this.#limits = limits;
  }

  /** Adds one that took so many bytes on its way, and lets the oldest go for it. */
  push(report: Report, bytes: number): void {
    const { progressWaitingMax, progressWaitingBytesMax } = this.#limits;
    this.#reports.push({ report, bytes });
    this.#bytes += bytes;
    while (this.#reports.length > 1 && this.#bytes > progressWaitingBytesMax) this.shift();
    while (this.#reports.length > progressWaitingMax) this.shift();
  }

  /** Takes the oldest. */
  shift(): Report | undefined {
    const oldest = this.#reports.shift();
    this.#bytes -= oldest?.bytes ?? 0;
    return oldest?.report;
  }
}
