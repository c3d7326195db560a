import { rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { ORT_PACKAGE, PACKED_ORT } from "../../lib/validators/onnx/ort_package.ts";
import { programEntries } from "../install/program_packages.ts";
import { userPackages } from "../install/user_packages.ts";
import { pack } from "./bundle_scripts.ts";
import { packageError } from "./compile_error.ts";
import type { CompileTools } from "./compile_tools.ts";

/** What the package loads beside its WebAssembly, from its own folder. */
const WASM = "ort-wasm-simd-threaded";

/**
 * Downloads ONNX Runtime and writes it for an executable: bundled, because Deno reads the list of an executable's packages
 * at each start, and its WebAssembly compressed. Only trials of models load it, and Deno before 2.9 reads all that an
 * executable contains at each start.
 *
 * @returns the folder, for `deno compile --include`
 * @throws {FailedError} code `PACKAGES`
 */
export async function packRuntime({ project, deno, run }: CompileTools): Promise<string> {
  const ask = async (...args: string[]) => {
    const { success, stdout, stderr } = await run(deno, args);
    if (!success) throw packageError(stderr);
    return stdout;
  };
  const [, onnx = []] = programEntries(project);
  await ask("cache", "-q", "--unstable-npm-lazy-caching", ...onnx);
  const module = join(project, PACKED_ORT.module);
  const folder = dirname(module);
  rmSync(folder, { recursive: true, force: true });
  Deno.mkdirSync(folder, { recursive: true });
  await ask("bundle", "-q", "--platform", "deno", "-o", module, ...onnx);
  const packages = userPackages([await ask("info", "-q", "--json", ...onnx)]);
  const source = packages.find(({ name }) => name === "onnxruntime-web")?.localPath;
  if (source === undefined) throw packageError(`error: Deno does not say where ${ORT_PACKAGE} is`);
  Deno.copyFileSync(join(source, `dist/${WASM}.mjs`), join(folder, `${WASM}.mjs`));
  Deno.writeFileSync(
    join(project, PACKED_ORT.wasm),
    pack(Deno.readFileSync(join(source, `dist/${WASM}.wasm`))),
  );
  return folder;
}
