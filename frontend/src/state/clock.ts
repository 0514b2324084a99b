/**
 * The clock of playback: which record is due at a time. It knows nothing about drawing, so a slow
 * map delays a picture, never the steps.
 */
export class PlayClock {
  #index: number;
  #since: number;

  constructor(
    index: number,
    now: number,
    /** Records per second. */
    private rate: number,
  ) {
    this.#index = index;
    this.#since = now;
  }

  /** The record due now, and whether the end was reached. */
  due(now: number, count: number, loop: boolean): { index: number; ended: boolean } {
    // A frame's time is when it began, which may be before the clock was started in it.
    const seconds = Math.max(0, now - this.#since) / 1000;
    const index = this.#index + Math.floor(seconds * this.rate + 1e-9);
    if (index < count) return { index, ended: false };
    if (loop && count > 0) return { index: index % count, ended: false };
    return { index: count - 1, ended: true };
  }

  /** Goes on from `index` at `now`, after a jump or at another speed. */
  restart(index: number, now: number, rate: number): void {
    this.#index = index;
    this.#since = now;
    this.rate = rate;
  }
}
