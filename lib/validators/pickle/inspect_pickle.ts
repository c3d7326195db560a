import type { ValidateSettings } from "../../config/sections/validate.ts";
import type { Context } from "../../core/context.ts";
import { type FileRange, fileRange, type SeekableFile } from "../../archive/file_range.ts";
import { readAt } from "../../core/read_at.ts";
import type { ModelFile } from "../checker.ts";
import { InvalidModelError } from "../invalid_model.ts";
import { openModel } from "../open_model.ts";
import type { Contents, Found, PickleInspection } from "./contents.ts";
import { opcodeBudget } from "./limits.ts";
import { walkPickles } from "./machine/walk_pickle.ts";
import { PickleProblem } from "./pickle_problem.ts";
import { bytesSource, fileSource, type PickleSource } from "./pickle_source.ts";
import { invalidContents, invalidPickle } from "./refusals.ts";
import type { PickleAllowList } from "./rules/rule.ts";
import { findZipEnds } from "./unpack/find_zip_ends.ts";
import { inspectArchive } from "./unpack/inspect_archive.ts";
import { HEAD_BYTES, isNamedCompressed, isNamedPickle, recognisePickle } from "./unpack/recognise_pickle.ts";
import { peel, type Peeled } from "./unpack/unwrap.ts";

/**
 * Finds pickles in a file, whatever its name, and walks them without executing anything. Other files pass, unless they are
 * named like a pickle (`.pkl`, `.pickle`, `.joblib`). Needs read permission.
 *
 * @returns whether there is a pickle
 * @throws {InvalidModelError} for a pickle that is broken, or that imports or calls something that is not allowed or
 * cannot be determined
 */
export async function inspectPickle(
  context: Pick<Context, "fs" | "signal">,
  model: ModelFile,
  allowed: PickleAllowList,
): Promise<boolean> {
  using file = openModel(context.fs, model);
  const { path, size } = model;
  const inspection = { context, model, path, file, allowed, budget: opcodeBudget(size) };
  const contents: Contents = {
    entry: undefined,
    name: path,
    size,
    place: { offset: 0, bytes: size },
    depth: 0,
    dialect: "joblib",
    open: () => open(model, file, context.signal),
  };
  const { isPickle, hasArrays } = await inspect(inspection, contents);
  // `pickle.load` takes the bytes of joblib's arrays for opcodes. They may stop it, but not make it import anything.
  if (hasArrays) await inspectAgain(inspection, { ...contents, dialect: "python" });
  return isPickle;
}

function open({ bytes, size }: ModelFile, file: SeekableFile, signal: AbortSignal): PickleSource {
  return bytes === undefined ? fileSource(file, size, signal) : bytesSource(bytes, signal);
}

const NOTHING: Found = { isPickle: false, hasArrays: false };

/** Inspects contents as each program reads them, by their beginning or by their end. */
async function inspect(inspection: PickleInspection, contents: Contents): Promise<Found> {
  const { place } = contents;
  const peeled = await peelContents(inspection, contents);
  const byHead = peeled === undefined ? undefined : await inspectPeeled(inspection, contents, peeled);
  if (place === undefined || peeled?.beginning?.kind === "zip") return byHead ?? NOTHING;
  // Programs that search for the end record of a ZIP open contents with any beginning as a ZIP.
  const ends = findEnds(inspection, place);
  const isInspected = ends.every((end) =>
    byHead?.places?.some(({ offset, bytes }) => end >= offset && end < offset + bytes) === true
  );
  if (isInspected) return byHead ?? NOTHING;
  const archive = await inspectAsArchive(inspection, { ...contents, place }, "ZIP");
  return { isPickle: archive.isPickle || byHead?.isPickle === true, hasArrays: byHead?.hasArrays === true };
}

interface FoundIn extends Found {
  /** The byte ranges of the inspected entries in the file. */
  readonly places?: readonly FileRange[];
}

async function inspectPeeled(
  inspection: PickleInspection,
  contents: Contents,
  peeled: Peeled,
): Promise<FoundIn> {
  const { beginning, wrappers, source } = peeled;
  switch (beginning?.kind) {
    case "misnamed":
      throw invalidContents(
        inspection,
        contents,
        "is named like a pickle, but is neither one nor one compressed by zlib, gzip, lz4 or zstd",
      );
    case "ambiguous":
      throw invalidContents(inspection, contents, "is a tar that also begins like a compressed file");
    case "sealed":
      throw invalidContents(
        inspection,
        contents,
        `is compressed by ${beginning.method}, which model-sync does not decompress, so a pickle in it cannot be inspected`,
        { hint: "store it uncompressed, or compressed by zlib, gzip, lz4 or zstd" },
      );
    case "zip":
    case "tar": {
      const format = beginning.kind === "zip" ? "ZIP" : "tar";
      const isReadable = wrappers.length === 0 ||
        (format === "tar" && wrappers.length === 1 && wrappers[0] === "gzip");
      if (contents.place === undefined || !isReadable) {
        throw invalidContents(inspection, contents, `is a compressed ${format}, which cannot be inspected`, {
          hint: format === "tar" ? "store it uncompressed, or as a tar.gz" : "store it uncompressed",
        });
      }
      const found = await inspectAsArchive(inspection, { ...contents, place: contents.place }, format);
      // The name in the first header of a tar may be opcodes. The beginning of a ZIP is not an opcode.
      if (format === "ZIP") await source.close();
      else await walk(inspection, { ...contents, name: "" }, peeled, false);
      return found;
    }
    default:
      return await walk(
        inspection,
        contents,
        peeled,
        beginning?.kind === "pickle" && beginning.isCertain && contents.entry === undefined,
      );
  }
}

async function inspectAsArchive(
  inspection: PickleInspection,
  contents: Contents & { readonly place: FileRange },
  format: "ZIP" | "tar",
): Promise<FoundIn> {
  return await inspectArchive(inspection, contents, format, {
    inspect: (entry) => inspect(inspection, entry),
    inspectAgain: (entry) => inspectAgain(inspection, entry),
  });
}

/** Decompresses contents completely; returns `undefined` for contents that only seem to be compressed. */
async function peelContents(inspection: PickleInspection, contents: Contents): Promise<Peeled | undefined> {
  try {
    return await peel(inspection.context, contents);
  } catch (error) {
    if (!(error instanceof PickleProblem)) throw error;
    const isNamed = isNamedPickle(contents.name) || isNamedCompressed(contents.name);
    if (error.kind === "broken" && !isNamed) return undefined;
    throw invalidPickle(inspection, contents, error);
  }
}

async function walk(
  inspection: PickleInspection,
  contents: Contents,
  { source, isText }: Pick<Peeled, "source" | "isText">,
  isProbable: boolean,
): Promise<Found> {
  const { allowed, budget } = inspection;
  const { dialect } = contents;
  const isNamed = isNamedPickle(contents.name);
  const isCertain = isNamed || isProbable;
  try {
    // Contents with the name of a pickle are read as one from the first byte on.
    const options = { allowed, dialect, isCertain, isText, hasNumpyArrays: !isNamed, budget };
    const report = await walkPickles(source, options);
    const { broken, imports, pickles, arrays } = report;
    const isPickle = isNamed || (isCertain && (imports > 0 || pickles > 0)) || (pickles > 0 && imports > 0);
    if (broken !== undefined && isPickle) throw broken;
    return { isPickle, hasArrays: arrays > 0 };
  } catch (error) {
    if (!(error instanceof PickleProblem)) throw error;
    if (isProbable && !isNamed && await stopsAtOnce(inspection, contents)) return NOTHING;
    throw invalidPickle(inspection, contents, error);
  }
}

/** Whether Python fails on contents before their first import and first STOP: raw numbers begin like a pickle by chance. */
async function stopsAtOnce(inspection: PickleInspection, contents: Contents): Promise<boolean> {
  const { allowed, budget } = inspection;
  const peeled = await peelContents(inspection, contents);
  if (peeled === undefined) return true;
  try {
    const options = { allowed, dialect: contents.dialect, isCertain: false, hasNumpyArrays: true, budget };
    const { broken, imports, pickles } = await walkPickles(peeled.source, options);
    return broken !== undefined && imports === 0 && pickles === 0;
  } catch (error) {
    if (!(error instanceof PickleProblem)) throw error;
    return false;
  }
}

/** Walks contents again in their dialect, and only refuses. */
async function inspectAgain(inspection: PickleInspection, contents: Contents): Promise<void> {
  const { allowed, budget } = inspection;
  const { dialect } = contents;
  const peeled = await peelContents(inspection, contents);
  if (peeled === undefined) return;
  try {
    const hasNumpyArrays = !isNamedPickle(contents.name);
    const options = { allowed, dialect, isCertain: false, isForeign: true, hasNumpyArrays, budget };
    await walkPickles(peeled.source, options);
  } catch (error) {
    if (!(error instanceof PickleProblem)) throw error;
    throw invalidPickle(inspection, contents, error);
  }
}

function findEnds({ file }: PickleInspection, place: FileRange): readonly number[] {
  return findZipEnds(fileRange(file, place), place.bytes).map((end) => place.offset + end);
}

/** The settings in `activation.validate.pickle`. */
type PickleSettings = ValidateSettings["pickle"];

/**
 * Checks a file that may contain a pickle by the configured policy. Under the policy `refuse`, files that may be
 * something else are still inspected to find out.
 *
 * @throws {InvalidModelError}
 */
export async function inspectByPolicy(
  context: Context,
  file: ModelFile,
  { policy, allow }: PickleSettings,
): Promise<void> {
  if (policy === "ignore") return;
  const isRefused = policy === "refuse";
  if (isRefused && isPickle(context, file)) throw refusal(file);
  const hasPickle = await inspectPickle(context, file, { patterns: allow });
  if (isRefused && hasPickle) throw refusal(file);
}

/** Whether the first bytes and the name are certainly a pickle's. */
function isPickle(context: Context, model: ModelFile): boolean {
  using file = openModel(context.fs, model);
  const suspicion = recognisePickle(readAt(file, 0, HEAD_BYTES), model.path);
  return suspicion?.kind === "pickle" && suspicion.isCertain;
}

function refusal({ path }: ModelFile): InvalidModelError {
  return new InvalidModelError(
    path,
    "it is or contains a pickle, which activation.validate.pickle.policy refuses",
    {
      hint:
        "save the model in a format without pickles, or set the policy to check; the active release is untouched",
    },
  );
}
