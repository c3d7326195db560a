import type { ValidateSettings } from "../../config/sections/validate.ts";
import type { Context } from "../../core/context.ts";
import type { FileSystem } from "../../core/files.ts";
import { plural } from "../../core/format.ts";
import { portablePathProblem } from "../../core/portable_path.ts";
import { oneLine, quote } from "../../core/quote.ts";
import { matchesAny } from "../../core/wildcards.ts";
import type { ModelFile, PassedFiles } from "../checker.ts";
import { InvalidModelError } from "../invalid_model.ts";
import { readActive } from "../read_active.ts";
import { compareSignature } from "./compare_signature.ts";
import { type Trial, tryInProcess } from "./onnx_process.ts";
import { type OnnxModel, readOnnx } from "./read_onnx.ts";
import { LONE_VECTORS_MAX, planVectors, readVectors, type VectorPlan } from "./sanity_vectors.ts";
import { TRIAL_BYTES_MAX, type TrialMemory } from "./trial_memory.ts";
import type { Loadable } from "./try_protocol.ts";

/**
 * The largest model that is loaded, external data included. Loading holds its bytes in memory up to three times: in the
 * process, in the runtime's memory, and as the runtime's tensors.
 */
const LOAD_BYTES_MAX = 512 * 1024 * 1024;

/**
 * The time in which vectors are computed even if the verdict is clear. Small models compute all of them. A text recognition
 * model of 10 MB computes about as many as a decision needs.
 */
const EAGER_MS = 2_000;

/** No vector starts after this part of the time limit: a large model is judged by fewer vectors instead of refused. */
const VECTORS_SHARE = 0.5;

/** The settings in `activation.validate.onnx`. */
export type OnnxSettings = ValidateSettings["onnx"];

/** A model of the active release, with all files of that release. */
export interface ActiveOnnx {
  readonly file: ModelFile;
  readonly files: readonly ModelFile[];
  /** Whether that release passed the checks. */
  readonly hasPassed: boolean;
}

export interface OnnxRequest {
  /** The release of the model, which holds its external data, too. */
  readonly folder: { readonly files: readonly ModelFile[] };
  /** The active model with the same path. */
  readonly active: ActiveOnnx | undefined;
  readonly passed?: PassedFiles | undefined;
  readonly settings: OnnxSettings;
  readonly memory: TrialMemory;
}

/**
 * Checks that a model can replace the active one. The file is a complete ONNX file, its external data is in the release
 * and in the model's folder, and its inputs and outputs are those that consumers know. ONNX Runtime loads it within the
 * limits of time and memory, and computes finite numbers near the active model's on sanity vectors. A model that is the
 * active one or another one that passed, byte for byte with its external data, is not loaded. Needs read permission, and run
 * permission for Deno.
 *
 * @throws {InvalidModelError} naming the problem of the model
 * @throws {UsageError} for an unusable file with sanity vectors
 * @throws {FailedError} when ONNX Runtime cannot be started
 */
export async function inspectOnnx(context: Context, file: ModelFile, request: OnnxRequest): Promise<void> {
  const { folder, settings } = request;
  const model = open(context, file, folder.files);
  const active = request.active && openActive(context, request.active);
  const problem = compareSignature(file.path, model.signature, active?.signature, settings.expect);
  if (problem !== undefined) throw new InvalidModelError(file.path, problem, { hint: SIGNATURE_HINT });

  if (active !== undefined && request.active?.hasPassed === true && digestOf(model) === digestOf(active)) {
    context.log.debug(`${file.path} is identical to the active model: not loaded again`);
    return;
  }
  if (filesOf(model).every((file) => request.passed?.has(file) === true)) {
    context.log.debug(`${file.path} is identical to the model of an earlier release: not loaded again`);
    return;
  }
  if (matchesAny(file.path, settings.structure_only)) {
    context.log.info(
      `${file.path}: only its structure was checked (activation.validate.onnx.structure_only)`,
    );
    return;
  }
  if (model.bytes > LOAD_BYTES_MAX) {
    context.log.warn(
      `${file.path}: only its structure was checked, because models of more than ${LOAD_BYTES_MAX} bytes are not loaded; it is ${model.bytes} bytes`,
    );
    return;
  }
  const comparable = active !== undefined && active.bytes <= LOAD_BYTES_MAX ? active : undefined;
  const plan = vectorsFor(context, file, model, comparable, settings);
  const timeoutMs = settings.timeout_seconds * 1000;
  const trial = await request.memory.run(
    model.bytes + (comparable?.bytes ?? 0),
    (memoryBytes) =>
      tryInProcess(context, {
        model: loadable(model),
        ...(comparable === undefined ? {} : { active: loadable(comparable) }),
        vectors: plan.kind === "impossible" ? { kind: "given", vectors: [] } : plan,
        isFirst: request.active === undefined,
        limits: {
          totalVariation: settings.max_total_variation,
          klDivergence: settings.max_kl_divergence,
        },
        eagerMs: EAGER_MS,
        vectorsMs: timeoutMs * VECTORS_SHARE,
        memoryBytes,
      }, timeoutMs),
  );
  if (plan.kind === "impossible") context.log.warn(`${file.path}: ${plan.reason}`);
  judge(context, file, trial, settings);
}

const SIGNATURE_HINT =
  "if the change is intended, set the new inputs and outputs in activation.validate.onnx.expect; the active release is untouched";

/** ONNX Runtime's messages for models that another or a later build of it may load. */
const LACKED =
  /No Op registered|is not a registered function|No opset import for domain|Could not find an implementation|tensor\((?:bfloat16|float[48]|u?int[24]\b)|only \*guarantees\* support|Unsupported model IR version|unsupported data type/i;

const STRUCTURE_HINT =
  "if your consumers' runtime loads it, list it in activation.validate.onnx.structure_only to check only its structure, " +
  "inputs and outputs; the active release is untouched";

const VECTORS_HINT =
  "to use your own vectors or none, set activation.validate.onnx.sanity_vectors to a file or to 0; the active release is untouched";

/** A model whose structure was read, with everything that loading it needs. */
interface OpenModel {
  readonly file: ModelFile;
  readonly signature: OnnxModel;
  readonly external: readonly ExternalFile[];
  /** The size of the model and its external data. */
  readonly bytes: number;
}

function open(context: Context, file: ModelFile, release: readonly ModelFile[]): OpenModel {
  const signature = readOnnx(context.fs, file);
  const external = findExternalData(context.fs, file, signature, release);
  const bytes = filesOf({ file, external }).reduce((sum, { size }) => sum + size, 0);
  return { file, signature, external, bytes };
}

/** Returns the model's files, each once. */
function filesOf({ file, external }: Pick<OpenModel, "file" | "external">): ModelFile[] {
  return [...new Set([file, ...external.map(({ file }) => file)])];
}

function openActive(context: Context, { file, files }: ActiveOnnx): OpenModel | undefined {
  return readActive(context, file, () => open(context, file, files));
}

function digestOf({ file, external }: OpenModel): string {
  return JSON.stringify([file.sha256, external.map(({ name, file }) => [name, file.sha256])]);
}

function loadable({ file, external }: OpenModel): Loadable {
  return {
    location: file.location,
    external: external.map(({ name, file }) => ({ name, location: file.location })),
  };
}

function vectorsFor(
  context: Context,
  file: ModelFile,
  { signature }: OpenModel,
  active: OpenModel | undefined,
  { sanity_vectors }: OnnxSettings,
): VectorPlan {
  if (typeof sanity_vectors === "number") {
    const count = active === undefined ? Math.min(sanity_vectors, LONE_VECTORS_MAX) : sanity_vectors;
    return planVectors(count, signature.inputs, active?.signature.inputs ?? []);
  }
  const vectors = readVectors(context.fs, sanity_vectors, signature.inputs);
  if (vectors.kind === "misfit") throw new InvalidModelError(file.path, vectors.problem);
  return vectors;
}

function judge(context: Context, { path }: ModelFile, trial: Trial, settings: OnnxSettings): void {
  switch (trial.outcome) {
    case "too slow":
      throw new InvalidModelError(
        path,
        `ONNX Runtime did not load and compute it within ${settings.timeout_seconds} s`,
        {
          hint:
            "if it needs more time, raise activation.validate.onnx.timeout_seconds; the active release is untouched",
        },
      );
    case "crashed":
      throw new InvalidModelError(path, `ONNX Runtime crashed while trying it: ${trial.reason}`, {
        hint: `if memory was short: trying a model takes up to ${TRIAL_BYTES_MAX} bytes`,
      });
    case "refused":
      throw new InvalidModelError(
        path,
        trial.problem,
        hintOf(trial.step, trial.problem),
      );
    case "ran":
      for (const note of trial.notes) context.log.warn(`${path}: ${oneLine(note)}`);
      for (const output of trial.unjudged) {
        context.log.info(
          `${path}: drift of its output ${quote(output)} is not judged, because it is not a distribution`,
        );
      }
      for (const drift of trial.drifts) judgeDrift(path, drift, settings);
      context.log.debug(
        `${path} loads in ONNX Runtime; ${trial.vectors} sanity vectors computed${
          trial.isEarly ? ", which decide clearly" : ""
        }`,
      );
  }
}

function hintOf(step: "load" | "vectors", problem: string): { readonly hint?: string } {
  if (step === "vectors") return { hint: VECTORS_HINT };
  return LACKED.test(problem) ? { hint: STRUCTURE_HINT } : {};
}

function judgeDrift(
  path: string,
  { output, totalVariation, klDivergence }: {
    readonly output: string;
    readonly totalVariation: number;
    readonly klDivergence: number;
  },
  { max_total_variation, max_kl_divergence }: OnnxSettings,
): void {
  const measures = [
    ["total variation", totalVariation, max_total_variation],
    ["KL divergence", klDivergence, max_kl_divergence],
  ] as const;
  for (const [measure, value, limit] of measures) {
    if (value <= limit) continue;
    throw new InvalidModelError(
      path,
      `its output ${quote(output)} is too far from the active model's: ${measure} ${
        value.toPrecision(3)
      }, allowed ${limit}`,
      { hint: VECTORS_HINT },
    );
  }
}

/** A file that holds tensors of a model. */
export interface ExternalFile {
  /** The name in the model: relative to the model's folder. */
  readonly name: string;
  readonly file: ModelFile;
}

/**
 * Returns the external data of a model. Each file has to be in the same release, within the model's folder, and large
 * enough for the tensors that refer to it: a path outside would read any file of the machine.
 *
 * @param release all files of the model's release
 */
export function findExternalData(
  fs: Pick<FileSystem, "lstatSync">,
  model: ModelFile,
  { external }: Pick<OnnxModel, "external">,
  release: readonly ModelFile[],
): readonly ExternalFile[] {
  if (external.size === 0) return [];
  const files = new Map(release.map((file) => [file.path, file]));
  const folder = model.path.slice(0, model.path.lastIndexOf("/") + 1);
  return Array.from(external, ([name, bytes]) => {
    const invalid = (problem: string) =>
      new InvalidModelError(model.path, `its external data ${quote(name)} ${problem}`);
    const below = name.startsWith("./") ? name.slice(2) : name;
    const pathProblem = portablePathProblem(below);
    if (pathProblem !== undefined) throw invalid(`${pathProblem}, expected a path within the model's folder`);
    const file = files.get(folder + below);
    if (file === undefined) throw invalid(`is not in the release, expected a file ${quote(folder + below)}`);
    if (!fs.lstatSync(file.location).isFile) throw invalid("is not a regular file");
    if (file.size < bytes) throw invalid(`is ${plural(file.size, "byte")}, expected at least ${bytes}`);
    return { name, file };
  });
}
