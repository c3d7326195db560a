import { z } from "zod";

/** What the process that loads models is asked, and what it answers: one line of JSON each way. */

const Loadable = z.strictObject({
  location: z.string(),
  /** Files with tensors, by the names that the model has for them. */
  external: z.array(z.strictObject({ name: z.string(), location: z.string() })),
});
export type Loadable = z.infer<typeof Loadable>;

const VectorInput = z.strictObject({ name: z.string(), type: z.string(), dims: z.array(z.number()) });
export type VectorInput = z.infer<typeof VectorInput>;

const Feed = VectorInput.extend({ data: z.array(z.union([z.number(), z.string()])) });
/** What one input is fed: numbers (0 and 1 for `bool`) or texts, in row-major order. */
export type Feed = z.infer<typeof Feed>;

const Vectors = z.discriminatedUnion("kind", [
  z.strictObject({
    kind: z.literal("made"),
    count: z.number(),
    inputs: z.array(VectorInput),
    /** Sizes or values were made up that may mean something to the model: that it refuses them says nothing. */
    isGuess: z.boolean(),
  }),
  z.strictObject({ kind: z.literal("given"), vectors: z.array(z.array(Feed)) }),
]);
export type Vectors = z.infer<typeof Vectors>;

export const TryRequest = z.strictObject({
  model: Loadable,
  /** The active model, whose outputs are compared. */
  active: Loadable.optional(),
  vectors: Vectors,
  /** No model was active under this path: a NaN may come from a bad model or from an unsuitable vector. */
  isFirst: z.boolean(),
  /** No vector is begun later than this after the start. */
  vectorsMs: z.number(),
  /** The most that the runtime's memory may grow to. */
  memoryBytes: z.number(),
});
export type TryRequest = z.infer<typeof TryRequest>;

export const TryAnswer = z.discriminatedUnion("outcome", [
  /** The runtime itself could not be started. */
  z.strictObject({ outcome: z.literal("unable"), reason: z.string() }),
  /** It is the model that is no good, as it is, or for the vectors. */
  z.strictObject({
    outcome: z.literal("refused"),
    step: z.enum(["load", "vectors"]),
    problem: z.string(),
  }),
  z.strictObject({
    outcome: z.literal("ran"),
    /** How many vectors were computed. */
    vectors: z.number(),
    drifts: z.array(z.strictObject({
      output: z.string(),
      totalVariation: z.number(),
      klDivergence: z.number(),
    })),
    /** Outputs that are no distributions, whose drift nobody can judge. */
    unjudged: z.array(z.string()),
    /** What could not be checked, and why. */
    notes: z.array(z.string()),
  }),
]);
export type TryAnswer = z.infer<typeof TryAnswer>;

/** The first line that the process prints: it runs, and whatever happens from here on is the model's doing. */
export const STARTED = "started";
