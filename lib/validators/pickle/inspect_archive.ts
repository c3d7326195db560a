import { type Archive, openArchive } from "../../core/archive.ts";
import { ARCHIVE_LIMITS } from "../../core/archive_limits.ts";
import { RefusedError } from "../../core/errors.ts";
import type { FileRange } from "../../core/file_range.ts";
import { InvalidModelError } from "../invalid_model.ts";
import { type Contents, type Found, invalidContents, type PickleInspection } from "./contents.ts";
import type { PickleDialect } from "./machine_options.ts";
import { isNamedPickle } from "./recognise_pickle.ts";
import { streamSource } from "./stream_source.ts";

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
  // torch's reader alone gives persistent identifiers a meaning.
  const isTorch = archive.entries.some((entry) => TORCH_PICKLE.test(entry.path));
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
  for await (const entry of contents(isTorch ? "torch" : "joblib", () => true)) {
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
