/**
 * ONNX Runtime, which only the process that tries models loads. `deno.json` and `deno.lock` beside this file give its
 * version and its checksum: a package in the lock file of the whole program would be downloaded by every `deno task`,
 * and this one has 146 MB.
 */
export const ORT_PACKAGE = "npm:onnxruntime-web@1.30.0";

/** Where an executable has the package: as one module, and its WebAssembly compressed. */
export const PACKED_ORT = { module: "dist/onnx/ort.js", wasm: "dist/onnx/ort.wasm.br" };
