import { dirname, join } from "node:path";
import { brotliCompressSync, constants } from "node:zlib";
import type { UserPackage } from "../install/user_packages.ts";
import { PACKED_WASM } from "../../lib/validators/onnx/ort_package.ts";

/** Of eleven levels; the last ones take a minute for a twentieth less. */
const QUALITY = 9;

/**
 * Compresses the WebAssembly of ONNX Runtime, which only trials of models load. Before Deno 2.9, an executable
 * reads all that it contains at each start, and 14 MB of it cost 15 ms.
 *
 * @returns the options of `deno compile` that pack it in the place of the package's file
 */
export function packedRuntime(
  project: string,
  packages: readonly Pick<UserPackage, "name" | "localPath">[],
): string[] {
  // Deno 2.6 does not say where a package is. The executable then contains its file.
  const folder = packages.find(({ name }) => name === "onnxruntime-web")?.localPath;
  if (folder === undefined) return [];
  const wasm = join(folder, "dist/ort-wasm-simd-threaded.wasm");
  const path = join(project, PACKED_WASM);
  Deno.mkdirSync(dirname(path), { recursive: true });
  const params = { [constants.BROTLI_PARAM_QUALITY]: QUALITY };
  Deno.writeFileSync(path, brotliCompressSync(Deno.readFileSync(wasm), { params }));
  return ["--include", path, "--exclude", wasm];
}
