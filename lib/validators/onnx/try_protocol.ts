import * as z from "zod";

/** The request to the process that tries a model, and its answer: one line of JSON each way. */

const Loadable = z.strictObject({
  location: z.string(),
  /** Its external data, by the names in the model. */
  external: z.array(z.strictObject({ name: z.string(), location: z.string() })),
});
export type Loadable = z.infer<typeof Loadable>;

const VectorInput = z.strictObject({ name: z.string(), type: z.string(), dims: z.array(z.number()) });
export type VectorInput = z.infer<typeof VectorInput>;

const Feed = VectorInput.extend({ data: z.array(z.union([z.number(), z.string()])) });
/** The data of one input: numbers (0 and 1 for `bool`) or strings, in row-major order. */
export type Feed = z.infer<typeof Feed>;

const Vectors = z.discriminatedUnion("kind", [
  z.strictObject({
    kind: z.literal("made"),
    count: z.number(),
    inputs: z.array(VectorInput),
    /** Whether sizes or values were guessed: a model that refuses them may be fine. */
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
  /** Whether there is no active model with this path: a NaN may come from a bad model or an unsuitable vector. */
  isFirst: z.boolean(),
  /** The largest allowed drift. If generated vectors decide clearly, no more of them are computed after `eagerMs`. */
  limits: z.strictObject({ totalVariation: z.number(), klDivergence: z.number() }),
  /** So long, vectors are computed in any case, counted from the first one. */
  eagerMs: z.number(),
  /** No vector starts later than this, counted from the start. */
  vectorsMs: z.number(),
  /** The limit of the runtime's memory. */
  memoryBytes: z.number(),
});
export type TryRequest = z.infer<typeof TryRequest>;

export const TryAnswer = z.discriminatedUnion("outcome", [
  /** The runtime itself could not be started. */
  z.strictObject({ outcome: z.literal("unable"), reason: z.string() }),
  /** The model does not load, or fails on the vectors. */
  z.strictObject({
    outcome: z.literal("refused"),
    step: z.enum(["load", "vectors"]),
    problem: z.string(),
    /** Whether the runtime reached the limit of its memory, so that the model may pass with more. */
    isShortOfMemory: z.boolean(),
  }),
  z.strictObject({
    outcome: z.literal("ran"),
    /** The number of computed vectors. */
    vectors: z.number(),
    /** Whether more vectors were planned, but would not change the verdict. */
    isEarly: z.boolean(),
    /** Whether the runtime reached the limit of its memory, so that more checks may be possible with more. */
    isShortOfMemory: z.boolean(),
    drifts: z.array(z.strictObject({
      output: z.string(),
      totalVariation: z.number(),
      klDivergence: z.number(),
    })),
    /** Outputs that are not distributions, whose drift is not judged. */
    unjudged: z.array(z.string()),
    /** Checks that were not possible, with the reasons. */
    notes: z.array(z.string()),
  }),
]);
export type TryAnswer = z.infer<typeof TryAnswer>;

/** The first line that the process prints. What fails after it is caused by the model. */
export const STARTED = "started";
