import type { Manifest, ReleaseFile } from "./manifest.ts";

/**
 * Returns the text of a manifest: one line for each file and each withdrawal, for readable diffs in a registry that
 * compress well.
 */
export function formatManifest({ files, ...head }: Manifest): string {
  return `${formatHead(head)},\n${lineList("files", files.map(formatFile))}\n}\n`;
}

/** Returns the beginning of the text of a manifest: all but the list of its files. */
export function formatHead({ withdrawals = [], ...head }: Omit<Manifest, "files">): string {
  const list = withdrawals.length === 0
    ? ""
    : `,\n${lineList("withdrawals", withdrawals.map((withdrawal) => JSON.stringify(withdrawal)))}`;
  return JSON.stringify(head, undefined, 2).replace(/\n}$/, "") + list;
}

/** Returns the line of a file. Other fields of the object are left out. */
export function formatFile({ path, size, sha256, contentChunks }: ReleaseFile): string {
  return JSON.stringify(
    contentChunks === undefined ? { path, size, sha256 } : { path, size, sha256, contentChunks },
  );
}

function lineList(key: string, values: readonly string[]): string {
  return `  "${key}": [\n    ${values.join(",\n    ")}\n  ]`;
}
