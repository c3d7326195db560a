import { z } from "zod";

const Count = z.number().int().min(0).nullable().default(null).catch(null);

const Counts = z.object({
  symbols_requested: Count,
  symbols_queued_for_training: Count,
  symbols_trained: Count,
  symbols_skipped_up_to_date: Count,
  symbols_skipped_errors: Count,
});
/** What a training command tells of its work; `null` where it does not. */
export type TrainingCounts = Readonly<z.infer<typeof Counts>>;

/**
 * Reads the counters that a training command may print as a JSON object in a line of its own; the last such line
 * counts. A command that prints none is as good.
 *
 * @param tail the end of its standard output
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { readTrainingCounts } from "./training_counts.ts";
 * const counts = readTrainingCounts('epoch 3\n{"symbols_requested": 2, "symbols_trained": 1}\ndone\n');
 * assert.deepEqual([counts.symbols_requested, counts.symbols_trained], [2, 1]);
 * assert.equal(readTrainingCounts("done\n").symbols_trained, null);
 * ```
 */
export function readTrainingCounts(tail: string): TrainingCounts {
  for (const line of tail.split("\n").reverse()) {
    const counts = parseLine(line.trim());
    if (counts !== undefined && Object.values(counts).some((count) => count !== null)) return counts;
  }
  return Counts.parse({});
}

function parseLine(line: string): TrainingCounts | undefined {
  if (!line.startsWith("{")) return undefined;
  try {
    return Counts.safeParse(JSON.parse(line)).data;
  } catch {
    return undefined;
  }
}
