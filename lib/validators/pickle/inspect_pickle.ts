import { openArchive } from "../../core/archive.ts";
import { ARCHIVE_LIMITS } from "../../core/archive_limits.ts";
import type { Context } from "../../core/context.ts";
import { RefusedError } from "../../core/errors.ts";
import { oneLine, quote } from "../../core/quote.ts";
import { readAt } from "../../core/read_at.ts";
import { InvalidModelError } from "../invalid_model.ts";
import type { ModelFile } from "../model_file.ts";
import { ALLOWED_IN_WORDS, type PickleAllowList } from "./allow_list.ts";
import { fileSource } from "./file_source.ts";
import { type OpcodeBudget, opcodeBudget } from "./opcode_budget.ts";
import type { PickleDialect } from "./pickle_machine.ts";
import { PickleProblem } from "./pickle_problem.ts";
import type { PickleSource } from "./pickle_reader.ts";
import { passNpyHeader } from "./npy_header.ts";
import { HEAD_BYTES, isNamedPickle, recognisePickle } from "./recognise_pickle.ts";
import { streamSource } from "./stream_source.ts";
import { unwrap } from "./unwrap.ts";
import { walkPickles } from "./walk_pickle.ts";

/**
 * Looks for a pickle in a file, whatever its name, and walks it without executing anything. Passes files that are no
 * pickle, unless they are named as one (`.pkl`, `.pickle`, `.joblib`). Needs read permission.
 *
 * @returns whether there is one
 * @throws {InvalidModelError} when it imports or calls something that is not allowed, when that cannot be told, or when
 * it is broken; says where and what
 */
export async function inspectPickle(
  context: Pick<Context, "fs" | "signal">,
  { path, location }: ModelFile,
  allowed: PickleAllowList,
): Promise<boolean> {
  using file = await context.fs.open(location, { read: true });
  const size = file.statSync().size;
  const suspicion = recognisePickle(readAt(file, 0, HEAD_BYTES), path);
  const isNamed = isNamedPickle(path);
  const budget = opcodeBudget(size);
  switch (suspicion?.kind) {
    case undefined:
      return false;
    case "misnamed":
      throw new InvalidModelError(
        path,
        "it is named as a pickle and is none, nor one that zlib, gzip or lz4 compressed",
      );
    case "sealed":
      throw new InvalidModelError(
        path,
        `it is compressed by ${suspicion.method}, and a pickle in it could not be looked into`,
        { hint: "store it uncompressed, or by zlib, gzip or lz4" },
      );
    case "tar":
      return await inspectTar(context, { path, location });
    case "zip":
      return await inspectZip(context, { path, location, isNamed, budget }, allowed);
    case "wrapped":
      return await inspectStream(() => unwrap(context, file, size, suspicion.wrapper), {
        path,
        allowed,
        budget,
        isNamed,
        isCertain: isNamed,
        dialects: ["joblib", "python"],
      });
    case "pickle":
      return await inspectStream(() => Promise.resolve(fileSource(file, size, context.signal)), {
        path,
        allowed,
        budget,
        isNamed,
        isCertain: suspicion.isCertain,
        dialects: ["joblib", "python"],
      });
  }
}

interface Inspection {
  readonly path: string;
  /** Of a ZIP's entry. */
  readonly entry?: string;
  readonly allowed: PickleAllowList;
  readonly budget: OpcodeBudget;
  /** Whether it has to be a pickle. */
  readonly isNamed: boolean;
  readonly isCertain: boolean;
  /** How programs may read it: the first that is expected, then others. */
  readonly dialects: readonly [PickleDialect, ...PickleDialect[]];
}

/**
 * Walks a stream as the programs read it that may be given it: what is an array's bytes to joblib, `pickle.load` takes
 * for opcodes. That it stops at them is fine; that it finds an import there is not.
 *
 * @returns whether it is a pickle
 */
async function inspectStream(begin: () => Promise<PickleSource>, inspection: Inspection): Promise<boolean> {
  const { path, entry, allowed, budget, isNamed, isCertain, dialects: [dialect, ...others] } = inspection;
  // What is named as a pickle is read as one from its first byte on.
  const open = async () => isNamed ? await begin() : await passNpyHeader(await begin());
  try {
    const source = await openUnlessBroken(open, isNamed);
    if (source === undefined) return false;
    const { broken, imports, pickles, arrays } = await walkPickles(source, {
      allowed,
      dialect,
      isCertain,
      budget,
    });
    const isPickle = isNamed || (isCertain && (imports > 0 || pickles > 0)) || (pickles > 0 && imports > 0);
    if (broken !== undefined && isPickle) throw broken;
    if (arrays === 0) return isPickle;
    for (const other of others) {
      await walkPickles(await open(), { allowed, dialect: other, isCertain: false, budget });
    }
    return isPickle;
  } catch (error) {
    if (!(error instanceof PickleProblem)) throw error;
    throw invalid(path, entry, error);
  }
}

/** `undefined` for what only seems to be compressed, and has a name that does not promise a pickle. */
async function openUnlessBroken(
  open: () => Promise<PickleSource>,
  isNamed: boolean,
): Promise<PickleSource | undefined> {
  try {
    return await open();
  } catch (error) {
    if (error instanceof PickleProblem && error.kind === "broken" && !isNamed) return undefined;
    throw error;
  }
}

function invalid(path: string, entry: string | undefined, problem: PickleProblem): InvalidModelError {
  const what = entry === undefined ? "its pickle" : `the pickle ${quote(entry)} in it`;
  const { global } = problem;
  const expected = global === undefined ? "" : `; allowed are ${ALLOWED_IN_WORDS}`;
  const text = `${what} ${oneLine(problem.message)} at byte ${problem.offset}${expected}`;
  return new InvalidModelError(path, text, {
    cause: problem,
    ...(global === undefined
      ? {}
      : { hint: `if it is your own and harmless, add ${quote(global)} to activation.validate.pickle.allow` }),
  });
}

/** A ZIP, as torch writes it, or numpy: every entry may be a pickle, those named `.pkl` have to be. */
async function inspectZip(
  context: Pick<Context, "fs" | "signal">,
  { path, location, isNamed, budget }: {
    readonly path: string;
    readonly location: string;
    readonly isNamed: boolean;
    readonly budget: OpcodeBudget;
  },
  allowed: PickleAllowList,
): Promise<boolean> {
  let pickles = 0;
  try {
    await using archive = await openArchive(context, location, path, ARCHIVE_LIMITS);
    for await (const { entry, content } of archive.read()) {
      if (await inspectEntry(context, { path, entry: entry.path, content, allowed, budget })) pickles++;
    }
  } catch (error) {
    throw sealedArchive(path, "ZIP", error);
  }
  if (isNamed && pickles === 0) {
    throw new InvalidModelError(path, "it is named as a pickle, and is a ZIP without one");
  }
  return pickles > 0;
}

/** @returns whether it is a pickle */
async function inspectEntry(
  { signal }: Pick<Context, "signal">,
  { path, entry, content, allowed, budget }: {
    readonly path: string;
    readonly entry: string;
    readonly content: AsyncIterable<Uint8Array>;
    readonly allowed: PickleAllowList;
    readonly budget: OpcodeBudget;
  },
): Promise<boolean> {
  const isNamed = isNamedPickle(entry);
  return await inspectStream(() => Promise.resolve(streamSource(content, signal)), {
    path,
    entry,
    allowed,
    budget,
    isNamed,
    isCertain: isNamed,
    dialects: ["torch"],
  });
}

/** What the file of a tar is called that torch reads first, before version 0.2. Source: `torch/serialization.py`. */
const TORCH_TAR_STORAGES = "storages";

/**
 * A tar: torch still loads those of its first versions, in which pickles and the bytes of tensors take turns. Of others
 * nobody loads a pickle without unpacking it.
 */
async function inspectTar(
  context: Pick<Context, "fs" | "signal">,
  { path, location }: Pick<ModelFile, "path" | "location">,
): Promise<boolean> {
  let entries;
  try {
    await using archive = await openArchive(context, location, path, ARCHIVE_LIMITS);
    entries = archive.entries;
  } catch (error) {
    throw sealedArchive(path, "tar", error);
  }
  if (!entries.some((entry) => entry.path === TORCH_TAR_STORAGES)) return false;
  throw new InvalidModelError(
    path,
    "it is a tar of torch before 0.2, whose pickles could not be looked into",
    {
      hint: "save it again with a newer torch",
    },
  );
}

function sealedArchive(path: string, format: string, error: unknown): unknown {
  if (!(error instanceof RefusedError) || error instanceof InvalidModelError) return error;
  return new InvalidModelError(path, `it is a ${format} that cannot be looked into: ${error.message}`, {
    cause: error,
  });
}
