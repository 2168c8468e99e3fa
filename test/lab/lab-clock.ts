/** The time as the servers of a life have it: counted from one moment, faster than the true one by what the life says. */

export class LabClock {
  readonly speed: number;
  /** As LAB_EPOCH tells it to each process that starts. */
  epoch = Date.now();

  /** Where the machine's clock is set forward or back. */
  offsetMs = 0;

  constructor(speed: number) {
    this.speed = speed;
  }

  /** Epoch milliseconds. */
  now(): number {
    return this.epoch + (Date.now() - this.epoch) * this.speed + this.offsetMs;
  }

  /** So much later for every process that starts from now on; none may be running. */
  skip(ms: number): void {
    if (this.speed !== 1) this.epoch -= ms / (this.speed - 1);
  }
}
