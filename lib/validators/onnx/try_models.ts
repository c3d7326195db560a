import type { Tensor } from "onnxruntime-common";
import { quote } from "../../core/quote.ts";
import {
  floatsOf,
  limitRuntimeMemory,
  loadModel,
  makeTensor,
  type OrtSession,
  RuntimeMissingError,
  runtimeReason,
} from "./ort_session.ts";
import { type DriftLimits, OutputDrift, VECTORS_MIN } from "./output_drift.ts";
import type { TryAnswer, TryRequest, Vectors } from "./try_protocol.ts";

type Feeds = Readonly<Record<string, Tensor>>;
type Outputs = Readonly<Record<string, Tensor>>;

/**
 * Loads a model with ONNX Runtime and computes vectors with it, and with the active model if there is one. Run it in a
 * process that can be killed: a hostile model computes forever. Reads the models' files.
 *
 * @returns the verdict; failures of a model are not thrown
 */
export async function tryModels(request: TryRequest): Promise<TryAnswer> {
  const startMs = performance.now();
  const memory = limitRuntimeMemory(request.memoryBytes);
  let session: OrtSession;
  try {
    session = await loadModel(request.model);
  } catch (error) {
    const reason = runtimeReason(error);
    if (error instanceof RuntimeMissingError) return { outcome: "unable", reason };
    const problem = `ONNX Runtime cannot load it: ${reason}`;
    return { outcome: "refused", step: "load", problem, isShortOfMemory: memory.isShort() };
  }
  const vectorRun = new VectorRun(request, session);
  if (countOf(request.vectors) > 0 && request.active !== undefined) {
    try {
      vectorRun.active = await loadModel(request.active);
    } catch (error) {
      vectorRun.notes.push(
        `cannot compare with the active model, which does not load: ${runtimeReason(error)}`,
      );
    }
  }
  const vectorsStartMs = performance.now();
  const findings = await vectorRun.run({
    isInTime: () => performance.now() - startMs < request.vectorsMs,
    isEager: () => performance.now() - vectorsStartMs < request.eagerMs,
  });
  return { ...findings, isShortOfMemory: memory.isShort() };
}

function countOf(vectors: Vectors): number {
  return vectors.kind === "made" ? vectors.count : vectors.vectors.length;
}

/** The findings of the vectors. */
type Findings =
  | { readonly outcome: "refused"; readonly step: "vectors"; readonly problem: string }
  | Omit<Extract<TryAnswer, { readonly outcome: "ran" }>, "isShortOfMemory">;

/** Decides whether another vector may start. */
interface Pace {
  /** Whether there is time for another vector. The first one always starts. */
  isInTime(): boolean;
  /** Whether another vector is computed even if the verdict is clear. */
  isEager(): boolean;
}

/** Computes the vectors one after the other and collects the findings. */
class VectorRun {
  active: OrtSession | undefined;
  readonly notes: string[] = [];
  readonly #vectors: Vectors;
  /** Whether a random vector may be the cause of a number that is not finite. */
  readonly #isLenient: boolean;
  readonly #session: OrtSession;
  readonly #drifts = new Map<string, OutputDrift>();
  /** Outputs with a note about a number that is not finite: one note is enough. */
  readonly #odd = new Set<string>();
  /** Whether a note says that the active model fails on vectors: one note is enough. */
  #activeFailed = false;
  /** Whether outputs could be compared for some vectors only. */
  #isPartial = false;
  readonly #limits: DriftLimits;

  constructor({ vectors, isFirst, limits }: TryRequest, session: OrtSession) {
    this.#limits = limits;
    this.#vectors = vectors;
    this.#isLenient = isFirst && vectors.kind === "made";
    this.#session = session;
  }

  async run(pace: Pace): Promise<Findings> {
    const count = countOf(this.#vectors);
    let done = 0;
    if (count > 0 && this.#session.outputs.length === 0) {
      this.notes.push(
        "no vectors were computed, because none of its outputs is a tensor of numbers or strings",
      );
      return this.#findings(0);
    }
    for (; done < count; done++) {
      if (this.#isDecided(done) && !pace.isEager()) break;
      if (done > 0 && !pace.isInTime()) {
        this.notes.push(`${done} of ${count} vectors were computed in time`);
        break;
      }
      const step = await this.#step(done);
      if (step === "unfit") break;
      if (step !== "fine") return { outcome: "refused", step: "vectors", problem: step.problem };
    }
    return this.#findings(done);
  }

  /** Whether more generated vectors would not change the verdict. Every one of the user's own vectors counts. */
  #isDecided(done: number): boolean {
    return this.#vectors.kind === "made" && done >= VECTORS_MIN && !this.#isPartial &&
      [...this.#drifts.values()].every((drift) => drift.isDecided(this.#limits));
  }

  async #step(index: number): Promise<"fine" | "unfit" | { readonly problem: string }> {
    const feeds = feedsOf(this.#vectors, index);
    const name = `sanity vector ${index + 1}`;
    const active = this.active === undefined ? undefined : await attempt(this.active, feeds);
    if (active !== undefined && "reason" in active) this.#isPartial = true;
    if (active !== undefined && "reason" in active && !this.#activeFailed) {
      this.#activeFailed = true;
      this.notes.push(`cannot compare with the active model, which fails on ${name}: ${active.reason}`);
    }
    const ran = await attempt(this.#session, feeds);
    if ("reason" in ran) {
      if (this.#vectors.kind === "made" && mayMisfit(this.#vectors.isGuess, active)) {
        this.notes.push(`no vectors were computed, because it does not take random ones: ${ran.reason}`);
        return "unfit";
      }
      return { problem: `ONNX Runtime cannot compute ${name}: ${ran.reason}` };
    }
    return this.#compare(
      ran.outputs,
      active !== undefined && "outputs" in active ? active.outputs : {},
      name,
    );
  }

  #compare(outputs: Outputs, active: Outputs, name: string): "fine" | { readonly problem: string } {
    for (const [output, tensor] of Object.entries(outputs)) {
      const values = floatsOf(tensor);
      if (values === undefined) continue;
      const other = active[output];
      const others = other === undefined ? undefined : floatsOf(other);
      const odd = firstNonFinite(values);
      const otherOdd = others === undefined ? undefined : firstNonFinite(others);
      // If the active model has no finite number either, the vector does not suit these models.
      if (odd !== undefined && otherOdd === undefined) {
        const problem = `its output ${quote(output)} is ${odd} for ${name}, expected a finite number`;
        if (!this.#isLenient) return { problem };
        if (!this.#odd.has(output)) this.notes.push(`${problem}; a random input may not suit the model`);
        this.#odd.add(output);
      }
      if (odd !== undefined || otherOdd !== undefined) this.#isPartial = true;
      if (odd !== undefined || otherOdd !== undefined || others?.length !== values.length) continue;
      const drift = this.#drifts.get(output) ?? new OutputDrift();
      this.#drifts.set(output, drift);
      drift.add(others, values, tensor.dims.at(-1) ?? 1);
    }
    return "fine";
  }

  #findings(vectors: number): Findings {
    const drifts = [];
    const unjudged = [];
    for (const [output, drift] of this.#drifts) {
      const verdict = drift.verdict();
      if (verdict.kind === "no longer distributions") {
        const problem = `its output ${quote(output)} is not a distribution: a row sums to ${
          verdict.sum.toPrecision(6)
        }, the active model's rows sum to 1`;
        return { outcome: "refused", step: "vectors", problem };
      }
      if (verdict.kind === "drift") drifts.push({ output, ...verdict.drift });
      else unjudged.push(output);
    }
    const isEarly = this.#isDecided(vectors) && vectors < countOf(this.#vectors);
    return { outcome: "ran", vectors, isEarly, drifts, unjudged, notes: this.notes };
  }
}

type Attempt = { readonly outputs: Outputs } | { readonly reason: string };

/** Whether a random vector may be the cause when a model fails on it. */
function mayMisfit(isGuess: boolean, active: Attempt | undefined): boolean {
  return active === undefined ? isGuess : "reason" in active;
}

async function attempt(session: OrtSession, feeds: Feeds): Promise<Attempt> {
  try {
    return { outputs: await session.run(feeds) };
  } catch (error) {
    return { reason: runtimeReason(error) };
  }
}

function firstNonFinite(values: ArrayLike<number>): number | undefined {
  for (let index = 0; index < values.length; index++) {
    const value = values[index];
    if (value !== undefined && !Number.isFinite(value)) return value;
  }
  return undefined;
}

function feedsOf(vectors: Vectors, index: number): Feeds {
  if (vectors.kind === "given") {
    const feeds = vectors.vectors[index] ?? [];
    return Object.fromEntries(
      feeds.map(({ name, type, dims, data }) => [name, makeTensor(type, dims, (at) => data[at] ?? 0)]),
    );
  }
  const next = randomNumbers(index);
  return Object.fromEntries(vectors.inputs.map(({ name, type, dims }) => {
    // Whole numbers are mostly indices, masks and classes, for which 0 and 1 are valid.
    const valueAt = type.startsWith("float") ? () => next() * 2 - 1 : () => Math.round(next());
    return [name, makeTensor(type, dims, valueAt)];
  }));
}

/** Returns a generator of numbers from 0 to 1, the same for a vector in every run and on every machine (mulberry32). */
function randomNumbers(vector: number): () => number {
  let state = Math.imul(vector + 1, 0x9e3779b1);
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
