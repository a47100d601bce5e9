/** The gateways of the model: who is present, and who may fence whom. */

interface ModelGateway {
  readonly gateway: string;
  leaseUntilMs: number;
  steadySinceMs: number;
  ttlMs: number;
  isFenced: boolean;
}

export class ModelGateways {
  #rows: ModelGateway[] = [];

  join(gateway: string, ttlMs: number, nowMs: number): void {
    this.#rows.push({ gateway, ttlMs, leaseUntilMs: nowMs + ttlMs, steadySinceMs: nowMs, isFenced: false });
  }

  leave(gateway: string): void {
    this.#rows = this.#rows.filter((row) => row.gateway !== gateway);
  }

  renew(gateway: string, ttlMs: number, nowMs: number): boolean {
    const row = this.find(gateway);
    if (row === undefined) return false;
    if (nowMs > row.leaseUntilMs) row.steadySinceMs = nowMs;
    Object.assign(row, { ttlMs, leaseUntilMs: nowMs + ttlMs });
    return true;
  }

  /** One that has joined, and neither left nor been fenced. */
  find(gateway: string): ModelGateway | undefined {
    return this.#rows.find((row) => row.gateway === gateway && !row.isFenced);
  }

  /** Fences those whose lease has lapsed, if the sweeper may. Returns them. */
  fence(sweeper: string, nowMs: number): string[] {
    const by = this.find(sweeper);
    const maySweep = by !== undefined && nowMs <= by.leaseUntilMs && nowMs - by.steadySinceMs >= by.ttlMs;
    const dead = this.#rows.filter((row) => maySweep && row !== by && !row.isFenced && nowMs > row.leaseUntilMs);
    for (const row of dead) row.isFenced = true;
    return dead.map(({ gateway }) => gateway);
  }

  /** Those that are present, as the contract tells of them, but for what they own. */
  all(nowMs: number): { gateway: string; leaseInMs: number }[] {
    const present = this.#rows.filter((row) => !row.isFenced);
    return present.map(({ gateway, leaseUntilMs }) => ({ gateway, leaseInMs: Math.ceil(leaseUntilMs - nowMs) }));
  }

  fenced(): string[] {
    return this.#rows.filter((row) => row.isFenced).map(({ gateway }) => gateway);
  }
}
