/** Room for so many things under way at once: whoever feeds it waits while it is full. */
export class Window {
  readonly #size: number;
  #taken = 0;
  #onRoom: (() => void) | null = null;
  #onEmpty: (() => void) | null = null;

  constructor(size: number) {
    this.#size = size;
  }

  get taken(): number {
    return this.#taken;
  }

  /** Starts the work; resolves when there is room for more. One feeder at a time. */
  async add(work: Promise<unknown>): Promise<void> {
    this.#taken += 1;
    work.then(this.#leave, this.#leave);
    // A race of all that is under way would cost as much as all of it, for each single one.
    if (this.#taken >= this.#size) {
      await new Promise<void>((resolve) => {
        this.#onRoom = resolve;
      });
    }
  }

  /** Resolves when nothing is under way. */
  async empty(): Promise<void> {
    if (this.#taken === 0) return;
    await new Promise<void>((resolve) => {
      this.#onEmpty = resolve;
    });
  }

  readonly #leave = (): void => {
    this.#taken -= 1;
    this.#onRoom?.();
    this.#onRoom = null;
    if (this.#taken === 0) this.#onEmpty?.();
  };
}
