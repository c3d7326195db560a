import { openArchive } from "../../../archive/open_archive.ts";
import type { Archive } from "../../../archive/types.ts";
import { ARCHIVE_LIMITS } from "../../../archive/archive_limits.ts";
import { RefusedError } from "../../../core/errors.ts";
import type { FileRange } from "../../../archive/file_range.ts";
import { oneLine } from "../../../core/quote.ts";
import { InvalidModelError } from "../../invalid_model.ts";
import type { Contents, Found, PickleInspection } from "../contents.ts";
import { streamSource } from "../pickle_source.ts";
import { invalidContents } from "../refusals.ts";
import type { PickleDialect } from "../rules/rule.ts";
import { isNamedPickle } from "./recognise_pickle.ts";
import { findBytecodeProblem, findCodeProblem } from "./torchscript_code.ts";

/** What inspects an entry like a file, and what walks it again as `pickle.load` would. */
export interface EntryInspectors {
  inspect(entry: Contents): Promise<Found>;
  inspectAgain(entry: Contents): Promise<void>;
}

/** What the file of a tar is called that torch reads first, before version 0.2. Source: `torch/serialization.py`. */
const TORCH_TAR_STORAGES = "storages";

/** What the pickle of torch's ZIP is called. */
const TORCH_PICKLE = /(^|\/)data\.pkl$/;

const REPACK = { hint: "pack it again without them: tar --hard-dereference" } as const;

/** What TorchScript's archives have besides: torch goes by it to read them in C++. Source: `torch/serialization.py`. */
const TORCHSCRIPT_PICKLE = /^[^/]+\/constants\.pkl$/;
const TORCHSCRIPT_CODE = /^[^/]+\/code\/.*\.py$/;

/**
 * What torch takes for an archive of TorchScript, for its code and for its bytecode. It looks entries up without regard to
 * case. Source: `mz_zip_reader_locate_file()` in `miniz.c`, by `caffe2/serialize/inline_container.cc`.
 */
const SCRIPT = {
  constants: /(^|\/)constants\.pkl$/i,
  code: /(^|\/)code\/.*\.py$/i,
  bytecode: /(^|\/)bytecode\.pkl$/i,
} as const;

/** What names the files of code in archives of torch before 1.4. Source: `torch/csrc/jit/serialization/import_legacy.cpp`. */
const LEGACY_SCRIPT = [/(^|\/)model\.json$/i, /(^|\/)version$/i] as const;

/** The code of the largest models has a few megabytes. */
const CODE_BYTES_MAX = 64 * 1024 * 1024;

/** Archives inside each other: a bundle of checkpoints has two. */
const DEPTH_MAX = 4;

/**
 * Inspects every entry of a ZIP, as torch, numpy or pandas write it, or of a tar, which pandas opens too. Any entry may
 * be a pickle, and one that is named so has to be. A tar of torch's first versions is refused: in it, pickles and the
 * bytes of tensors take turns.
 *
 * @returns what was found, and where the contents stand that were inspected
 */
export async function inspectArchive(
  inspection: PickleInspection,
  contents: Contents & { readonly place: FileRange },
  format: "ZIP" | "tar",
  inspectors: EntryInspectors,
): Promise<Found & { readonly places: readonly FileRange[] }> {
  const { context, path, location } = inspection;
  if (contents.depth >= DEPTH_MAX) {
    throw invalidContents(inspection, contents, `is in more than ${DEPTH_MAX} archives inside each other`);
  }
  const isFile = contents.entry === undefined;
  try {
    await using archive = await openArchive(
      context,
      location,
      path,
      ARCHIVE_LIMITS,
      isFile ? undefined : contents.place,
    );
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
      throw invalidContents(inspection, contents, `is named as a pickle, and is a ${format} without one`);
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
      // What a pickle may be depends on its name, and whether it is a ZIP too on where it stands.
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

/** torch's readers alone give persistent identifiers a meaning. */
function dialectOf({ entries }: Archive): PickleDialect {
  if (!entries.some(({ path }) => TORCH_PICKLE.test(path))) return "joblib";
  const isScript = [TORCHSCRIPT_PICKLE, TORCHSCRIPT_CODE].every((name) =>
    entries.some(({ path }) => name.test(path))
  );
  return isScript ? "torchscript" : "torch";
}

/** Checks the code of a TorchScript archive, which torch runs in an interpreter of its own. */
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
