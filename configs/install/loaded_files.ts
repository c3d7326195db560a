/** What is loaded at run time. Declarations, source maps, TypeScript sources and documents are not. */
const LOADED = /\.(?:[cm]?js|wasm|json)$/;

/** The one form of ONNX Runtime that `lib/validators/onnx` loads. The package holds four runtimes in eight forms, 138 MB. */
const ONNX_RUNTIME = /^onnxruntime-web\/dist\/(?:ort\.node\.min\.mjs|ort-wasm-simd-threaded\.(?:mjs|wasm))$/;

/** Code that the program does not load, by the beginnings of its paths. */
const UNUSED = [
  "onnxruntime-web/",
  // This form of ONNX Runtime contains them.
  ...["@protobufjs/", "flatbuffers/", "guid-typescript/", "long/", "platform/", "protobufjs/"],
  // Twins for `require`.
  ...["hono/dist/cjs/", "nodemailer/dist/cjs/"],
];

/** Returns whether the program loads a file of a package. @param name such as `hono/dist/index.js` */
export function isLoaded(name: string): boolean {
  return ONNX_RUNTIME.test(name) ||
    (LOADED.test(name) && !UNUSED.some((beginning) => name.startsWith(beginning)));
}
