/** The directory of the model. Epochs are counted as they are given, so that they compare between stores. */

interface ModelPlace {
  readonly nodeId: string;
  readonly gateway: string;
  readonly epoch: number;
  readonly view: Uint8Array;
}

export class ModelDirectory {
  places: ModelPlace[] = [];
  /** Epochs given so far. */
  given = 0;

  put(gateway: string, { nodeId, epoch, view }: { nodeId: string; epoch: number | null; view: Uint8Array }) {
    const known = this.places.find((place) => place.nodeId === nodeId);
    if (epoch !== null && (known?.epoch !== epoch || known.gateway !== gateway)) return null;
    const present = epoch ?? this.#next();
    this.places = this.places.filter((place) => place !== known);
    this.places.push({ nodeId, gateway, epoch: present, view });
    return present;
  }

  #next(): number {
    this.given += 1;
    return this.given;
  }

  drop(nodeId: string, epoch: number): boolean {
    const before = this.places.length;
    this.places = this.places.filter((place) => place.nodeId !== nodeId || place.epoch !== epoch);
    return this.places.length < before;
  }

  dropAllOf(gateway: string): void {
    this.places = this.places.filter((place) => place.gateway !== gateway);
  }
}
