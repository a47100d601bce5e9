/** What waits for the others of a channel: a condition is asked anew whenever something has changed. */
export class Changes {
  #looks: (() => void)[] = [];

  /** Resolves as soon as it holds. */
  until(holds: () => boolean): Promise<void> {
    return new Promise((resolve) => {
      const look = (): void => {
        if (holds()) resolve();
        else this.#looks.push(look);
      };
      look();
    });
  }

  /** Something has changed that may be waited for. */
  tell(): void {
    for (const look of this.#looks.splice(0)) look();
  }
}
