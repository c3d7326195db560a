import { dirname, join } from "node:path";
import type { Context } from "../core/context.ts";
import { findText, removeFile } from "../core/files.ts";
import { replaceFile } from "../core/replace_file.ts";

/** The file of a registry that puts files into Git LFS. */
export const ATTRIBUTES = ".gitattributes";

/** The size limit of the file: a line for each of 200,000 files. */
export const ATTRIBUTES_BYTES_MAX = 64 * 1024 * 1024;

const BEGIN = "# model-sync: begin (written by publish; other lines are yours)";
const END = "# model-sync: end";
const IN_LFS = "filter=lfs diff=lfs merge=lfs -text";

/**
 * Returns a pattern that matches exactly one path, in the form of gitattributes(5): anchored, with glob characters
 * escaped, and quoted if the path contains whitespace or quotes.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { exactPattern } from "./attributes.ts";
 * assert.equal(exactPattern("models/rf.joblib"), "/models/rf.joblib");
 * assert.equal(exactPattern("models/a [1].onnx"), '"/models/a \\\\[1].onnx"');
 * ```
 */
export function exactPattern(path: string): string {
  const escaped = `/${path}`.replace(/[\\*?[]/g, "\\$&");
  return /[\s"]/.test(escaped) ? `"${escaped.replace(/["\\]/g, "\\$&")}"` : escaped;
}

/**
 * Keeps git from converting what a publish writes (line endings, `$Id$`, encodings), whatever the registry's own
 * `.gitattributes` say. This covers the model folder and the files beside it, which no filter may rewrite either. The
 * attributes are written to the clone's `info/attributes`, which takes precedence and is never committed.
 */
export function forbidConversions(
  context: Context,
  objectsDir: string,
  subdir: string,
  beside: readonly string[],
): void {
  const path = attributesPath(objectsDir);
  const text = findText(context.fs, path) ?? "";
  const wanted = replaceBlock(text, [
    `${exactPattern(subdir)}/** -text -ident -working-tree-encoding`,
    ...beside.map((file) => `${exactPattern(file)} -text -ident -working-tree-encoding -filter`),
  ]);
  if (wanted === text) return;
  context.fs.mkdirSync(dirname(path), { recursive: true });
  replaceFile(context.fs, path, wanted);
}

/**
 * Removes attributes that other programs put into a clone of our own: git would apply their filters to the files that
 * it compares.
 *
 * @param objectsDir of the clone
 */
export function removeForeignAttributes({ fs, log }: Context, objectsDir: string): void {
  const path = attributesPath(objectsDir);
  const text = findText(fs, path) ?? "";
  if (text === "" || (text.startsWith(BEGIN) && text.indexOf(END) === text.length - `${END}\n`.length)) {
    return;
  }
  log.warn(
    `removed ${path}: model-sync manages this clone; set attributes in the repository's ${ATTRIBUTES}`,
  );
  removeFile(fs, path);
}

function attributesPath(objectsDir: string): string {
  return join(dirname(objectsDir), "info", "attributes");
}

/** Returns the registry's `.gitattributes` with these paths in Git LFS. Lines of others stay unchanged. */
export function withLfsPaths(text: string, paths: readonly string[]): string {
  return replaceBlock(text, paths.map(lfsLine));
}

/** Whether {@link withLfsPaths} put a path into Git LFS. */
export function lfsPathTest(text: string): (path: string) => boolean {
  if (!text.includes(IN_LFS)) return () => false;
  const lines = new Set(text.split(/\r?\n/));
  return (path) => lines.has(lfsLine(path));
}

function lfsLine(path: string): string {
  return `${exactPattern(path)} ${IN_LFS}`;
}

function replaceBlock(text: string, lines: readonly string[]): string {
  const begin = text.indexOf(BEGIN);
  const end = text.indexOf(END);
  const hasBlock = begin !== -1 && end > begin;
  const before = hasBlock ? text.slice(0, begin) : text;
  const after = hasBlock ? text.slice(end + END.length).replace(/^\r?\n/, "") : "";
  if (lines.length === 0) return before + after;
  const separator = before === "" || before.endsWith("\n") ? "" : "\n";
  return `${before}${separator}${[BEGIN, ...lines, END].join("\n")}\n${after}`;
}
