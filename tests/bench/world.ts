import { dirname, join } from "node:path";
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

/** Returns the paths of models, of each format in turn, in folders of a hundred. */
export function modelPaths(count: number): string[] {
  return Array.from({ length: count }, (_, index) => {
    const extension = SET_FORMATS[index % SET_FORMATS.length] ?? SET_FORMATS[0];
    return `symbol_${Math.floor(index / 100)}/model_${index}${extension}`;
  });
}

/** Writes models of a size at {@link modelPaths}. */
export async function writeModels(
  modelsDir: string,
  count: number,
  bytes: number,
  signal: AbortSignal,
): Promise<void> {
  for (const path of modelPaths(count)) {
    Deno.mkdirSync(join(modelsDir, dirname(path)), { recursive: true });
    await writeModel(join(modelsDir, path), bytes, signal);
  }
}
