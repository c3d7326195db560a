import { type Checker, hasActivePassed } from "./checker.ts";
import { inspectJson } from "./json_file.ts";
import { inspectOnnx } from "./onnx/inspect_onnx.ts";
import { inspectByPolicy } from "./pickle/inspect_pickle.ts";
import { findZipEnds } from "./pickle/unpack/find_zip_ends.ts";
import { recognisePickle } from "./pickle/unpack/recognise_pickle.ts";
import { inspectGguf, looksLikeGguf } from "./tensors/gguf.ts";
import { inspectSafetensors, looksLikeSafetensors } from "./tensors/safetensors.ts";

/** The formats that are checked. A new format is an entry here. */
export const CHECKERS: readonly Checker[] = [
  {
    format: "ONNX",
    extensions: [".onnx"],
    // The expected signature and limits in the configuration may have changed.
    passesUnchanged: false,
    needsDisk: true,
    // Protocol Buffers have no magic bytes, so files are recognised by name.
    check: ({ context, file, before, memory, request }) =>
      inspectOnnx(context, file, {
        folder: request,
        passed: request.passed,
        active: before === undefined || request.active === undefined
          ? undefined
          : { file: before, files: request.active.files, hasPassed: hasActivePassed(request) },
        settings: request.settings.onnx,
        memory,
      }),
  },
  {
    format: "pickle",
    extensions: [".pkl", ".pickle", ".joblib"],
    // The allow-list may have become shorter.
    passesUnchanged: false,
    passesWithSameRules: true,
    looksLike: (head, { path }) => recognisePickle(head, path) !== undefined,
    endsLike: (content, size) => findZipEnds(content, size).length > 0,
    check: ({ context, file, request }) => inspectByPolicy(context, file, request.settings.pickle),
  },
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
    // A file that merely begins like JSON may be anything, so files are recognised by name.
    check: ({ context, file }) => inspectJson(context, file),
  },
];
