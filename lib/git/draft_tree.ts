import type { Context } from "../core/context.ts";
import { ATTRIBUTES } from "./attributes.ts";
import {
  checkTree,
  CommitIndex,
  type ExpectedFile,
  removalOf,
  removed,
  scratchIndex,
} from "./commit_tree.ts";
import type { Git } from "./git.ts";
import type { ObjectId } from "./object_id.ts";
import type { Registry } from "./registry.ts";
import { isRemoval, type StagedEntry } from "./stage_models.ts";
import { listTree, REGULAR_FILES } from "./tree.ts";
import { foldersAbove, TreeEdit } from "./tree_edit.ts";

/**
 * The most folders that are written one by one: git syncs each to the disk, which takes some milliseconds. For more, an
 * index of all files is as fast.
 */
const EDITED_FOLDERS_MAX = 32;

/** The tree of a new commit, which begins as the tree of its parent. */
export interface DraftTree {
  /** The repository, with an index in which the attributes of the new commit are. */
  readonly git: Git;
  /** Whether any attributes may set a filter for a file. */
  readonly hasFilters: boolean;
  /** The changes that remove those model files of the parent commit that are not published any more. */
  readonly gone: readonly StagedEntry[];
  /** Returns the name of a regular model file of the parent commit, by its path in the repository. */
  blobOf(path: string): ObjectId | undefined;
  replace(entries: readonly StagedEntry[]): Promise<void>;
  /**
   * Writes the tree, and checks that git wrote what was read.
   *
   * @param expected returns the expected files of `paths`
   * @throws {FailedError} code `GIT_CONVERTS`
   */
  write(paths: readonly string[], expected: () => ReadonlyMap<string, ExpectedFile>): Promise<ObjectId>;
  /** Returns the changes that remove what the parent commit has at one of {@link DraftPlan.beside}. */
  removalOf(path: string): Promise<readonly StagedEntry[]>;
  /** All differences from the parent commit; `undefined` if they are not known. */
  readonly changes: readonly StagedEntry[] | undefined;
  /** Returns git's name for a folder of the written tree, if it is known. */
  folderOf(path: string): ObjectId | undefined;
  /** Returns the path of an index of a written tree. */
  indexOf(tree: ObjectId): Promise<string>;
}

/** The model set for which a tree is drafted. */
export interface DraftPlan {
  readonly subdir: string;
  /** The parent commit. */
  readonly head: ObjectId | undefined;
  /** Returns all files of the set, relative to the model folder. */
  readonly files: () => readonly RelativePath[];
  /** Those that may differ from the parent commit. */
  readonly compared: readonly RelativePath[];
  /** The files of the parent commit that the set does not have; `undefined` if they are not known. */
  readonly gone: readonly RelativePath[] | undefined;
  /** Further paths of the repository that are replaced. */
  readonly beside: readonly string[];
  /** The changes of attributes. */
  readonly attributes: readonly StagedEntry[];
}

interface RelativePath {
  readonly path: string;
}

/** Begins a tree: with the folders that change if they are few and known, and otherwise with an index of all files. */
export async function draftTree(context: Context, registry: Registry, plan: DraftPlan): Promise<DraftTree> {
  return await EditedDraft.find(context, registry, plan) ??
    await IndexedDraft.create(context, registry, plan);
}

/** A draft with an index of all files. */
class IndexedDraft implements DraftTree {
  readonly gone: readonly StagedEntry[];
  readonly hasFilters = true;
  readonly changes = undefined;
  readonly #head: ObjectId | undefined;
  readonly #registry: Registry;
  readonly #index: CommitIndex;
  readonly #blobs: ReadonlyMap<string, ObjectId>;

  private constructor(
    { registry, head, index, blobs }: {
      readonly registry: Registry;
      readonly head: ObjectId | undefined;
      readonly index: CommitIndex;
      readonly blobs: ReadonlyMap<string, ObjectId>;
    },
    gone: readonly StagedEntry[],
  ) {
    this.#registry = registry;
    this.#head = head;
    this.#index = index;
    this.#blobs = blobs;
    this.gone = gone;
  }

  static async create(
    context: Context,
    registry: Registry,
    { head, subdir, files, attributes }: DraftPlan,
  ): Promise<IndexedDraft> {
    const index = await CommitIndex.create(context, registry, head);
    await index.replace(attributes);
    const entries = head === undefined ? [] : await listTree(registry.git, head, [`${subdir}/`]);
    const paths = new Set(files().map(({ path }) => path));
    const blobs = new Map<string, ObjectId>();
    const gone: StagedEntry[] = [];
    for (const entry of entries) {
      if (REGULAR_FILES.includes(entry.mode)) blobs.set(entry.path, entry.blob);
      if (!paths.has(entry.path.slice(subdir.length + 1))) gone.push(removed(entry));
    }
    return new IndexedDraft({ registry, head, index, blobs }, gone);
  }

  get git(): Git {
    return this.#index.git;
  }

  blobOf(path: string): ObjectId | undefined {
    return this.#blobs.get(path);
  }

  async replace(entries: readonly StagedEntry[]): Promise<void> {
    await this.#index.replace(entries);
  }

  async removalOf(path: string): Promise<readonly StagedEntry[]> {
    return this.#head === undefined ? [] : await removalOf(this.#registry, this.#head, path);
  }

  folderOf(): undefined {
    return undefined;
  }

  async write(
    paths: readonly string[],
    expected: () => ReadonlyMap<string, ExpectedFile>,
  ): Promise<ObjectId> {
    const tree = await this.#index.writeTree();
    await checkTree(this.#registry, tree, paths, expected());
    return tree;
  }

  indexOf(): Promise<string> {
    return Promise.resolve(scratchIndex(this.#registry));
  }
}

/** A draft with the folders that change. The others are known to be right. */
class EditedDraft implements DraftTree {
  readonly gone: readonly StagedEntry[];
  readonly #context: Context;
  readonly hasFilters: boolean;
  readonly #registry: Registry;
  readonly #edit: TreeEdit;
  readonly #index: CommitIndex;
  readonly changes: StagedEntry[];

  private constructor(
    { context, registry, edit, index, hasFilters }: {
      readonly context: Context;
      readonly registry: Registry;
      readonly edit: TreeEdit;
      readonly index: CommitIndex;
      readonly hasFilters: boolean;
    },
    gone: readonly StagedEntry[],
    attributes: readonly StagedEntry[],
  ) {
    this.#context = context;
    this.#registry = registry;
    this.hasFilters = hasFilters;
    this.#edit = edit;
    this.#index = index;
    this.gone = gone;
    this.changes = [...attributes];
  }

  /** @returns `undefined` if the parent commit is not known or has unexpected folders, many change, or names are not UTF-8 */
  static async find(
    context: Context,
    registry: Registry,
    { head, subdir, gone: goneFiles, compared, beside, attributes }: DraftPlan,
  ): Promise<EditedDraft | undefined> {
    if (head === undefined || goneFiles === undefined) return undefined;
    const inRepository = ({ path }: RelativePath) => `${subdir}/${path}`;
    const gone = goneFiles.map(inRepository);
    const folders = foldersAbove([...compared.map(inRepository), ...gone, ...beside, ATTRIBUTES]);
    if (folders.length > EDITED_FOLDERS_MAX) return undefined;
    const edit = await TreeEdit.read(registry.git, head, folders);
    // If one of them is a folder, its files would have to be removed, too.
    if (edit === undefined || beside.some((path) => edit.hasFolder(path))) return undefined;
    const removals = gone.map((path) => removed({ path, blob: edit.blobOf(path) ?? head }));
    edit.replace(attributes);
    const index = await CommitIndex.create(context, registry, undefined);
    const inCommit = edit.filesNamed(ATTRIBUTES);
    await index.replace(inCommit);
    // In a clone of our own, only attributes of the repository apply.
    const hasFilters = !registry.isOwn || inCommit.length > 0;
    return new EditedDraft({ context, registry, edit, index, hasFilters }, removals, attributes);
  }

  get git(): Git {
    return this.#index.git;
  }

  blobOf(path: string): ObjectId | undefined {
    return this.#edit.blobOf(path);
  }

  replace(entries: readonly StagedEntry[]): Promise<void> {
    // Removals come first: a path that is removed and written again then differs from the read folders.
    for (const isRemoved of [true, false]) {
      const changes = entries.filter((entry) => isRemoval(entry) === isRemoved && !this.#edit.has(entry));
      this.#edit.replace(changes);
      this.changes.push(...changes);
    }
    return Promise.resolve();
  }

  removalOf(path: string): Promise<readonly StagedEntry[]> {
    const entry = this.#edit.entryOf(path);
    return Promise.resolve(entry === undefined ? [] : [removed({ path, blob: entry.id })]);
  }

  folderOf(path: string): ObjectId | undefined {
    return this.#edit.entryOf(path)?.id;
  }

  async write(): Promise<ObjectId> {
    return await this.#edit.write();
  }

  async indexOf(tree: ObjectId): Promise<string> {
    await CommitIndex.create(this.#context, this.#registry, tree);
    return scratchIndex(this.#registry);
  }
}
