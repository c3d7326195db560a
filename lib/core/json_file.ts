import { z } from "zod";
import { osErrorCode } from "./errors.ts";
import { type FileSystem, findText, UnusableFileError } from "./files.ts";

/** What a JSON file holds. */
export type JsonFile<Value> =
  | { readonly kind: "none" }
  | { readonly kind: "found"; readonly value: Value }
  /** `it is not JSON`, `it is a folder, not a file`: something is there, and cannot be used. */
  | { readonly kind: "damaged"; readonly reason: string };

/** Reads a small JSON file. Whatever is wrong with it is returned as a reason and never thrown. */
export function readJsonFile<Value>(fs: FileSystem, path: string, schema: z.ZodType<Value>): JsonFile<Value> {
  try {
    const text = findText(fs, path);
    return text === undefined ? { kind: "none" } : { kind: "found", value: schema.parse(JSON.parse(text)) };
  } catch (error) {
    return { kind: "damaged", reason: reasonOf(error) };
  }
}

function reasonOf(error: unknown): string {
  if (error instanceof SyntaxError) return "it is not JSON";
  if (error instanceof z.ZodError) {
    const [issue] = error.issues;
    const place = issue?.path.map(String).join(".") ?? "";
    return `it does not hold what it should (${place === "" ? "" : `${place}: `}${
      issue?.message ?? "invalid"
    })`;
  }
  if (error instanceof UnusableFileError) return error.reason;
  if (error instanceof Deno.errors.PermissionDenied) return "permission denied";
  return `it cannot be read (${
    osErrorCode(error) ?? (error instanceof Error ? error.message : String(error))
  })`;
}
