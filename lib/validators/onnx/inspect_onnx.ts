import type { Context } from "../../core/context.ts";
import type { FileSystem } from "../../core/files.ts";
import { portablePathProblem } from "../../core/portable_path.ts";
import { oneLine, quote } from "../../core/quote.ts";
import { matchesAny } from "../../core/wildcards.ts";
import type { ModelFile } from "../checker.ts";
import { InvalidModelError } from "../invalid_model.ts";
import { compareSignature } from "./compare_signature.ts";
import { type Trial, tryInProcess } from "./onnx_process.ts";
import type { OnnxSettings } from "./onnx_settings.ts";
import { type OnnxModel, readOnnx } from "./read_onnx.ts";
import { LONE_VECTORS_MAX, planVectors, readVectors, type VectorPlan } from "./sanity_vectors.ts";
import type { Loadable } from "./try_protocol.ts";

/**
 * The largest model, with its external data, that is loaded. Bytes of a model are in memory up to three times while it
 * is: in the process, in the runtime's memory, and as the runtime's tensors.
 */
const LOAD_BYTES_MAX = 512 * 1024 * 1024;

/** The most that the runtime's memory may grow to, for a model and the active one together. */
const MEMORY_BYTES_MAX = 2 * 1024 * 1024 * 1024;

/** No vector is begun after this part of the time: a large model is judged by fewer of them, not refused. */
const VECTORS_SHARE = 0.5;

/** A model of the active release, and every file of that release. */
export interface ActiveOnnx {
  readonly file: ModelFile;
  readonly files: readonly ModelFile[];
}

export interface OnnxRequest {
  /** The release that the model is of, where its external data lies too. */
  readonly folder: { readonly files: readonly ModelFile[] };
  /** The model that is active under the same path. */
  readonly active: ActiveOnnx | undefined;
  readonly settings: OnnxSettings;
}

/**
 * Says whether a model can take the active one's place: it is a whole ONNX file, its external data is there and within
 * its folder, its inputs and outputs are those that consumers know, ONNX Runtime loads it within the time and memory
 * limits, and on sanity vectors it gives finite numbers near the active model's. Nothing is loaded when the model and
 * its external data are byte for byte the active ones. Needs read permission, and run permission for Deno itself.
 *
 * @throws {InvalidModelError} saying what is wrong with the model
 * @throws {UsageError} when the file with sanity vectors cannot be used
 * @throws {FailedError} when ONNX Runtime cannot be started
 */
export async function inspectOnnx(context: Context, file: ModelFile, request: OnnxRequest): Promise<void> {
  const { folder, settings } = request;
  const model = open(context, file, folder.files);
  const active = openActive(context, request.active);
  const problem = compareSignature(file.path, model.signature, active?.signature, settings.expect);
  if (problem !== undefined) throw new InvalidModelError(file.path, problem, { hint: SIGNATURE_HINT });

  if (active !== undefined && digestOf(model) === digestOf(active)) {
    context.log.debug(`${file.path} is the active one, byte for byte: not loaded again`);
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
      `${file.path} is ${model.bytes} bytes, more than the ${LOAD_BYTES_MAX} up to which models are loaded: only its structure was checked`,
    );
    return;
  }
  const comparable = active !== undefined && active.bytes <= LOAD_BYTES_MAX ? active : undefined;
  const plan = vectorsFor(context, file, model, comparable, settings);
  const trial = await tryInProcess(context, {
    model: loadable(model),
    ...(comparable === undefined ? {} : { active: loadable(comparable) }),
    vectors: plan.kind === "impossible" ? { kind: "given", vectors: [] } : plan,
    isFirst: request.active === undefined,
    vectorsMs: settings.timeout_seconds * 1000 * VECTORS_SHARE,
    memoryBytes: MEMORY_BYTES_MAX,
  }, settings.timeout_seconds * 1000);
  if (plan.kind === "impossible") context.log.warn(`${file.path}: ${plan.reason}`);
  judge(context, file, trial, settings);
}

const SIGNATURE_HINT =
  "if the change is meant, say what consumers expect now in activation.validate.onnx.expect; the active release is untouched";

/** ONNX Runtime's messages for models that another build of it, or a later one, may load. */
const LACKED =
  /No Op registered|is not a registered function|No opset import for domain|Could not find an implementation|tensor\((?:bfloat16|float[48]|u?int[24]\b)|only \*guarantees\* support|Unsupported model IR version|unsupported data type/i;

const STRUCTURE_HINT =
  "if your consumers' runtime loads it, list it in activation.validate.onnx.structure_only, and only its structure, inputs " +
  "and outputs are checked; the active release is untouched";

const VECTORS_HINT =
  "activation.validate.onnx.sanity_vectors takes a file with vectors of your own, or 0; the active release is untouched";

/** A model that was read, with what it needs to be loaded. */
interface OpenModel {
  readonly file: ModelFile;
  readonly signature: OnnxModel;
  readonly external: readonly ExternalFile[];
  /** Of the model and its external data. */
  readonly bytes: number;
}

function open(context: Context, file: ModelFile, release: readonly ModelFile[]): OpenModel {
  const signature = readOnnx(context.fs, file);
  const external = findExternalData(context.fs, file, signature, release);
  const files = new Set([file, ...external.map(({ file }) => file)]);
  return { file, signature, external, bytes: files.values().reduce((sum, { size }) => sum + size, 0) };
}

/** A model that was active before models were checked may be anything; then there is nothing to compare with. */
function openActive(context: Context, active: ActiveOnnx | undefined): OpenModel | undefined {
  if (active === undefined) return undefined;
  try {
    return open(context, active.file, active.files);
  } catch (error) {
    if (!(error instanceof InvalidModelError)) throw error;
    context.log.warn(`${active.file.path} of the active release is not compared with: ${error.message}`);
    return undefined;
  }
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
          hint: "a model that needs longer: raise activation.validate.onnx.timeout_seconds",
        },
      );
    case "crashed":
      throw new InvalidModelError(path, `ONNX Runtime broke down over it: ${trial.reason}`, {
        hint: `where memory was short: a model takes up to ${MEMORY_BYTES_MAX} bytes of it while it is tried`,
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
        context.log.info(`${path}: its output ${quote(output)} is no distribution, its drift is not judged`);
      }
      for (const drift of trial.drifts) judgeDrift(path, drift, settings);
      context.log.debug(`${path} loads in ONNX Runtime; ${trial.vectors} sanity vectors computed`);
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

/** A file with tensors of a model. */
export interface ExternalFile {
  /** As the model names it: relative to its own folder. */
  readonly name: string;
  readonly file: ModelFile;
}

/**
 * Finds the files that a model keeps tensors in. Each has to be a file of the same release, named without leaving the
 * model's folder, and large enough for what the model wants of it.
 *
 * @param release every file of the model's release
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
    if (!fs.lstatSync(file.location).isFile) throw invalid("is no regular file");
    if (file.size < bytes) throw invalid(`is ${file.size} bytes, expected at least ${bytes}`);
    return { name, file };
  });
}
