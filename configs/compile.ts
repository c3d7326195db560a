import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/** What the process that tries ONNX models loads; the package holds four runtimes in eight forms, 138 MB of them. */
const USED = ["ort.node.min.mjs", "ort-wasm-simd-threaded.mjs", "ort-wasm-simd-threaded.wasm"];

/**
 * What `deno compile` leaves out of the executable: the runtimes of `onnxruntime-web` that nothing loads. With them it
 * would be twice as large, and take a quarter of a second longer to start.
 */
export function excludedRuntimes(): string[] {
  const entry = import.meta.resolve("onnxruntime-web");
  // Deno 2.6 does not tell where its packages are.
  if (!entry.startsWith("file:")) return [];
  const folder = dirname(fileURLToPath(entry));
  return Array.from(Deno.readDirSync(folder), ({ name }) => name)
    .filter((name) => !USED.includes(name))
    .flatMap((name) => ["--exclude", join(folder, name)]);
}

/** Compiles with these arguments of `deno compile`: `deno run -A configs/compile.ts -o dist/model-sync cli/main.ts`. */
if (import.meta.main) {
  const compiler = Deno.env.get("DENO_COMPILE_BIN") ?? Deno.execPath();
  const { code } = await new Deno.Command(compiler, {
    args: ["compile", ...excludedRuntimes(), ...Deno.args],
    stdin: "null",
  }).spawn().status;
  Deno.exit(code);
}
