import { PathLookup } from "../core/path_lookup.ts";
import type { Manifest, ReleaseFile } from "./manifest.ts";

/** Files that are found by their paths. */
export interface Listed<File> {
  find(path: string): File | undefined;
  /** Returns all, of which objects are made once. */
  all(): readonly File[];
}

/** The files of a release. Of very many, objects are made only of those that are wanted. */
export interface FileList extends Listed<ReleaseFile> {
  readonly count: number;
  /** The sum of their sizes. */
  readonly bytes: number;
  readonly first: ReleaseFile | undefined;
  /** Whether the path of a file may end like one of these texts in lower case. */
  mayEnd(ends: readonly string[]): boolean;
  all(): ReleaseFile[];
}

/** The lists of manifests. A copy of a manifest has a list of its own. */
const LISTS = new WeakMap<Manifest, FileList>();

/** Returns a manifest with the files of a list. */
export function manifestOf(head: Omit<Manifest, "files">, list: FileList): Manifest {
  const manifest = {
    ...head,
    get files() {
      return list.all();
    },
  };
  LISTS.set(manifest, list);
  return manifest;
}

/** Returns the files of a manifest: always the same list. */
export function filesOf(manifest: Manifest): FileList {
  const known = LISTS.get(manifest);
  if (known !== undefined) return known;
  const list = new ParsedFiles(manifest.files);
  LISTS.set(manifest, list);
  return list;
}

/** Returns files that are found by their paths. */
export function listed<File extends { readonly path: string }>(files: readonly File[]): Listed<File> {
  const lookup = new PathLookup(files);
  return { find: (path) => lookup.get(path), all: () => files };
}

class ParsedFiles implements FileList {
  readonly #files: ReleaseFile[];
  readonly #lookup: PathLookup<ReleaseFile>;

  constructor(files: ReleaseFile[]) {
    this.#files = files;
    this.#lookup = new PathLookup(files);
  }

  get count(): number {
    return this.#files.length;
  }

  get bytes(): number {
    return this.#files.reduce((bytes, { size }) => bytes + size, 0);
  }

  get first(): ReleaseFile | undefined {
    return this.#files[0];
  }

  find(path: string): ReleaseFile | undefined {
    return this.#lookup.get(path);
  }

  mayEnd(): boolean {
    return true;
  }

  all(): ReleaseFile[] {
    return this.#files;
  }
}
