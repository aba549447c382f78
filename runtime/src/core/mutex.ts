/** Runs tasks one at a time, in the order of the calls. A task that fails does not stop the next. */
export class Mutex {
  #tail: Promise<unknown> = Promise.resolve();
  #size = 0;

  /** Tasks that run or wait. */
  get size(): number {
    return this.#size;
  }

  /** Settles as `task` does, after every earlier task has settled. */
  run<T>(task: () => Promise<T>): Promise<T> {
    this.#size++;
    const result = this.#tail.then(task);
    const done = () => {
      this.#size--;
    };
    this.#tail = result.then(done, done);
    return result;
  }
}
