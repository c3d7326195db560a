/** What is under way in this process, by its name. */
const turns = new Map<string, Promise<unknown>>();

/**
 * Does a piece of work once those of the same name have ended that this process began before. A compare-and-set that
 * many requests try at the same time would fail for all of them but one, again and again; other processes have a request
 * or two at a time.
 */
export async function inTurn<Result>(name: string, work: () => Promise<Result>): Promise<Result> {
  const before = turns.get(name);
  // Whether the one before failed is for its own caller.
  const mine = before === undefined ? work() : before.then(work, work);
  turns.set(name, mine);
  try {
    return await mine;
  } finally {
    if (turns.get(name) === mine) turns.delete(name);
  }
}
