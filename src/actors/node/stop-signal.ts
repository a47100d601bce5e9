/** What tells a handler to stop. The AbortSignal is made when somebody looks at it: most handlers never do, and it is dear. */
export class StopSignal {
  #controller: AbortController | null = null;
  #stop: { readonly reason: unknown } | null = null;

  get isStopped(): boolean {
    return this.#stop !== null;
  }

  get reason(): unknown {
    return this.#stop?.reason;
  }

  get signal(): AbortSignal {
    if (this.#controller === null) {
      this.#controller = new AbortController();
      if (this.#stop !== null) this.#controller.abort(this.#stop.reason);
    }
    return this.#controller.signal;
  }

  stop(reason: unknown): void {
    if (this.#stop !== null) return;
    this.#stop = { reason };
    this.#controller?.abort(reason);
  }
}
