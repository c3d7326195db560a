import type { Checker } from "./checker.ts";
import { inspectGguf, looksLikeGguf } from "./gguf.ts";
import { inspectJson } from "./json_file.ts";
import { inspectSafetensors, looksLikeSafetensors } from "./safetensors.ts";

/** Every format that is looked into. A new one is a line here. */
export const CHECKERS: readonly Checker[] = [
  {
    format: "safetensors",
    extensions: [".safetensors"],
    passesUnchanged: true,
    looksLike: (head, { size }) => looksLikeSafetensors(head, size),
    check: ({ context, file, before, request }) =>
      inspectSafetensors(context, file, before, request.settings.safetensors.shape_drift),
  },
  {
    format: "GGUF",
    extensions: [".gguf"],
    passesUnchanged: true,
    looksLike: looksLikeGguf,
    check: ({ context, file, before, request }) =>
      inspectGguf(context, file, before, request.settings.gguf.shape_drift),
  },
  {
    format: "JSON",
    extensions: [".json"],
    passesUnchanged: true,
    // What only begins like JSON may be anything.
    looksLike: () => false,
    check: ({ context, file }) => inspectJson(context, file),
  },
];
