import { Buffer } from "node:buffer";
import type { Sha256 } from "../core/hash.ts";

/** A line of the hub's commit protocol. */
export interface CommitLine {
  readonly key: "header" | "file" | "lfsFile" | "deletedFile";
  readonly value: Readonly<Record<string, string | number>>;
}

/** Returns the line that adds a small text. */
export function textLine(path: string, text: string): CommitLine {
  return fileLine(path, new TextEncoder().encode(text));
}

/** Returns the line that adds a small file with its content. */
export function fileLine(path: string, bytes: Uint8Array): CommitLine {
  const content = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("base64");
  return { key: "file", value: { path, content, encoding: "base64" } };
}

/** Returns the line that adds a file whose content is in the hub's storage. */
export function lfsLine(path: string, oid: Sha256, size: number): CommitLine {
  return { key: "lfsFile", value: { path, algo: "sha256", oid, size } };
}

export function deletedLine(path: string): CommitLine {
  return { key: "deletedFile", value: { path } };
}
