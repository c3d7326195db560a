import { ArchiveGuard } from "../../../archive/archive_guard.ts";
import { openArchiveFile } from "../../../archive/open_archive.ts";
import type { Archive } from "../../../archive/types.ts";
import { ARCHIVE_LIMITS } from "../../../archive/archive_limits.ts";
import { RefusedError } from "../../../core/errors.ts";
import { type FileRange, fileRange } from "../../../archive/file_range.ts";
import { oneLine } from "../../../core/quote.ts";
import { InvalidModelError } from "../../invalid_model.ts";
import { openModel } from "../../open_model.ts";
import type { Contents, Found, PickleInspection } from "../contents.ts";
import { streamSource } from "../pickle_source.ts";
import { invalidContents } from "../refusals.ts";
import type { PickleDialect } from "../rules/rule.ts";
import { isNamedPickle } from "./recognise_pickle.ts";
import { findBytecodeProblem, findCodeProblem } from "./torchscript_code.ts";

/** Inspects an entry like a file, or walks it again as `pickle.load` would. */
export interface EntryInspectors {
  inspect(entry: Contents): Promise<Found>;
  inspectAgain(entry: Contents): Promise<void>;
}

/** The name of the first file that torch before version 0.2 reads in its tar. Source: `torch/serialization.py`. */
const TORCH_TAR_STORAGES = "storages";

/** The name of the pickle in torch's ZIP. */
const TORCH_PICKLE = /(^|\/)data\.pkl$/;

const REPACK = { hint: "create it again without them: tar --hard-dereference" } as const;

/** Further files in archives of TorchScript, by which torch decides to read them in C++. Source: `torch/serialization.py`. */
const TORCHSCRIPT_PICKLE = /^[^/]+\/constants\.pkl$/;
const TORCHSCRIPT_CODE = /^[^/]+\/code\/.*\.py$/;

/**
 * The names by which torch finds an archive of TorchScript, its code and its bytecode, ignoring case. Source:
 * `mz_zip_reader_locate_file()` in `miniz.c`, which `caffe2/serialize/inline_container.cc` calls.
 */
const SCRIPT = {
  constants: /(^|\/)constants\.pkl$/i,
  code: /(^|\/)code\/.*\.py$/i,
  bytecode: /(^|\/)bytecode\.pkl$/i,
} as const;

/** The files by which torch before 1.4 finds the code. Source: `torch/csrc/jit/serialization/import_legacy.cpp`. */
const LEGACY_SCRIPT = [/(^|\/)model\.json$/i, /(^|\/)version$/i] as const;

/** The code of the largest models has a few megabytes. */
const CODE_BYTES_MAX = 64 * 1024 * 1024;

/** Nested archives: a bundle of checkpoints has two levels. */
const DEPTH_MAX = 4;

/**
 * Inspects every entry of a ZIP, which torch, numpy and pandas write, or of a tar, which pandas opens, too. Any entry may be
 * a pickle; an entry named like a pickle has to be one. A tar of torch's first versions is refused, because it mixes pickles
 * with the bytes of tensors.
 *
 * @returns the findings, and the byte ranges of the inspected entries
 */
export async function inspectArchive(
  inspection: PickleInspection,
  contents: Contents & { readonly place: FileRange },
  format: "ZIP" | "tar",
  inspectors: EntryInspectors,
): Promise<Found & { readonly places: readonly FileRange[] }> {
  const { context, model } = inspection;
  if (contents.depth >= DEPTH_MAX) {
    throw invalidContents(inspection, contents, `is nested in more than ${DEPTH_MAX} archives`);
  }
  try {
    const { place } = contents;
    await using archive = await openArchiveFile({
      file: fileRange(openModel(context.fs, model), place),
      bytes: place.bytes,
      guard: new ArchiveGuard(model.path, place.bytes, ARCHIVE_LIMITS),
      signal: context.signal,
    });
    const names = archive.entries.map((entry) => entry.path);
    if (format === "tar" && names.includes(TORCH_TAR_STORAGES)) {
      throw invalidContents(
        inspection,
        contents,
        "is a tar of torch before 0.2, whose pickles cannot be inspected",
        { hint: "save it again with a newer torch" },
      );
    }
    const found = await inspectEntries(inspection, contents, archive, inspectors);
    if (isNamedPickle(contents.name) && !found.isPickle) {
      throw invalidContents(inspection, contents, `is named like a pickle, but is a ${format} without one`);
    }
    return found;
  } catch (error) {
    if (!(error instanceof RefusedError) || error instanceof InvalidModelError) throw error;
    const problem = `is a ${format} that cannot be inspected: ${error.message}`;
    throw invalidContents(inspection, contents, problem, { cause: error });
  }
}

async function inspectEntries(
  inspection: PickleInspection,
  outer: Contents & { readonly place: FileRange },
  archive: Archive,
  { inspect, inspectAgain }: EntryInspectors,
): Promise<Found & { readonly places: readonly FileRange[] }> {
  const { signal } = inspection.context;
  const dialect = dialectOf(archive);
  await refuseFileAccess(inspection, outer, archive);
  const contents = async function* (dialect: PickleDialect, wants: (path: string) => boolean) {
    for await (const { entry, links, place, content } of archive.read((one) => wants(one.path))) {
      // The inspection depends on the name of an entry and on its place, which hard links and sparse files do not have.
      if (links.length > 0) throw invalidContents(inspection, outer, "is a tar with hard links", REPACK);
      if (archive.format === "tar" && place === undefined) {
        throw invalidContents(inspection, outer, "is a tar with sparse files", REPACK);
      }
      yield {
        entry: outer.entry === undefined ? entry.path : `${outer.entry}/${entry.path}`,
        name: entry.path,
        size: entry.bytes,
        place: place === undefined
          ? undefined
          : { offset: outer.place.offset + place.offset, bytes: place.bytes },
        depth: outer.depth + 1,
        dialect,
        open: () => streamSource(content, signal),
      } satisfies Contents;
    }
  };
  const places: FileRange[] = [];
  const arrays = new Set<string>();
  let isPickle = false;
  for await (const entry of contents(dialect, () => true)) {
    const found = await inspect(entry);
    isPickle ||= found.isPickle;
    if (found.hasArrays) arrays.add(entry.name);
    if (entry.place !== undefined) places.push(entry.place);
  }
  if (arrays.size > 0) {
    for await (const entry of contents("python", (name) => arrays.has(name))) await inspectAgain(entry);
  }
  return { isPickle, hasArrays: false, places };
}

/** Returns the reader of the archive. Only torch gives persistent identifiers a meaning. */
function dialectOf({ entries }: Archive): PickleDialect {
  if (!entries.some(({ path }) => TORCH_PICKLE.test(path))) return "joblib";
  const isScript = [TORCHSCRIPT_PICKLE, TORCHSCRIPT_CODE].every((name) =>
    entries.some(({ path }) => name.test(path))
  );
  return isScript ? "torchscript" : "torch";
}

/** Checks the code in a TorchScript archive, which torch runs in its own interpreter. */
async function refuseFileAccess(
  inspection: PickleInspection,
  outer: Contents,
  archive: Archive,
): Promise<void> {
  const has = (name: RegExp) => archive.entries.some(({ path }) => name.test(path));
  if (LEGACY_SCRIPT.every(has)) {
    const problem = "is a TorchScript archive of torch before 1.4, whose code cannot be inspected";
    throw invalidContents(inspection, outer, problem, { hint: "save it again with a newer torch" });
  }
  if (!has(SCRIPT.constants)) return;
  const reading = archive.read(({ path }) => SCRIPT.code.test(path) || SCRIPT.bytecode.test(path));
  for await (const { entry, content } of reading) {
    const within = { entry: outer.entry === undefined ? entry.path : `${outer.entry}/${entry.path}` };
    if (entry.bytes > CODE_BYTES_MAX) {
      throw invalidContents(inspection, within, `has more than ${CODE_BYTES_MAX} bytes of code`);
    }
    const isCode = SCRIPT.code.test(entry.path);
    const decoder = new TextDecoder(isCode ? "utf-8" : "latin1");
    let code = "";
    for await (const piece of content) code += decoder.decode(piece, { stream: true });
    const problem = isCode ? findCodeProblem(code, inspection.allowed.patterns) : findBytecodeProblem(code);
    if (problem !== undefined) throw invalidContents(inspection, within, oneLine(problem));
  }
}
