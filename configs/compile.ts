import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { clonedCommit, COMMIT_FILE } from "../cli/_version.ts";

const PROJECT = fileURLToPath(new URL("..", import.meta.url));

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

/** Writes the commit of the clone for the executable's `--version`. @returns the options that pack it */
function packedCommit(): string[] {
  const commit = clonedCommit(Deno, PROJECT);
  if (commit === undefined) return [];
  const path = join(PROJECT, COMMIT_FILE);
  Deno.mkdirSync(dirname(path), { recursive: true });
  Deno.writeTextFileSync(path, `${commit}\n`);
  return ["--include", path];
}

/** Compiles with these arguments of `deno compile`: `deno run -A configs/compile.ts -o dist/model-sync cli/main.ts`. */
if (import.meta.main) {
  const compiler = Deno.env.get("DENO_COMPILE_BIN") ?? Deno.execPath();
  const { code } = await new Deno.Command(compiler, {
    args: ["compile", ...excludedRuntimes(), ...packedCommit(), ...Deno.args],
    stdin: "null",
  }).spawn().status;
  Deno.exit(code);
}
