import { join } from "node:path";
import { bareRepository } from "../helpers/test_git.ts";
import { SET_FORMATS, writeModel } from "./model_writer.ts";

/** A registry, with a folder for each machine. */
export interface BenchWorld {
  readonly registry: string;
  readonly trainer: string;
  readonly bot: string;
}

/** Creates a registry and two machines that are configured for it. */
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

/** The model that scenarios change. */
export const CHANGED_MODEL = "symbol_0/model_0.safetensors";

/** Writes models of a size, of each format in turn, in folders of a hundred. */
export async function writeModels(
  modelsDir: string,
  count: number,
  bytes: number,
  signal: AbortSignal,
): Promise<void> {
  for (let index = 0; index < count; index++) {
    const folder = join(modelsDir, `symbol_${Math.floor(index / 100)}`);
    Deno.mkdirSync(folder, { recursive: true });
    const extension = SET_FORMATS[index % SET_FORMATS.length] ?? SET_FORMATS[0];
    await writeModel(join(folder, `model_${index}${extension}`), bytes, signal);
  }
}
