import { join } from "node:path";
import { bareRepository } from "../helpers/test_git.ts";

export const MIB = 1024 * 1024;

/** A registry, with a folder for each machine. */
export interface BenchWorld {
  readonly registry: string;
  readonly trainer: string;
  readonly bot: string;
}

/** Makes a registry and two machines that are configured for it. */
export function makeWorld(root: string): BenchWorld {
  const registry = bareRepository(join(root, "registry.git"));
  for (const name of ["trainer", "bot"]) {
    Deno.mkdirSync(join(root, name, "configs"), { recursive: true });
    Deno.writeTextFileSync(
      join(root, name, "configs/bot.yaml"),
      `model_sync: {repo_url: ${JSON.stringify(registry)}, publisher: {train_before_push: false}}\n`,
    );
  }
  return { registry, trainer: join(root, "trainer"), bot: join(root, "bot") };
}

/** Writes so many files of so many incompressible bytes, in folders of a hundred. */
export function writeModels(modelsDir: string, count: number, bytes: number): void {
  for (let index = 0; index < count; index++) {
    const folder = join(modelsDir, `symbol_${Math.floor(index / 100)}`);
    Deno.mkdirSync(folder, { recursive: true });
    writeRandomFile(join(folder, `model_${index}.bin`), bytes);
  }
}

/** Writes a file of incompressible bytes. */
export function writeRandomFile(path: string, bytes: number): void {
  using file = Deno.openSync(path, { write: true, create: true, truncate: true });
  // The most that Web Crypto fills at once.
  const piece = new Uint8Array(Math.min(65536, bytes));
  for (let left = bytes; left > 0; left -= piece.length) {
    crypto.getRandomValues(piece);
    file.writeSync(piece.subarray(0, left));
  }
}
