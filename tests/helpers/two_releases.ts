import { join } from "node:path";
import { type Machine, machine, publishFrom, pullTo } from "./machines.ts";
import type { PullOptions } from "../../lib/pipeline/pull.ts";
import { writeFiles } from "./temp_dir.ts";
import { testContext } from "./test_context.ts";
import { bareRepository } from "./test_git.ts";

type Files = Readonly<Record<string, string>>;

/** Publishes the model sets one after the other, and has a bot pull each. */
export async function pulledReleases(
  root: string,
  sets: readonly Files[],
  options: Partial<PullOptions> & { readonly bot?: Machine } = {},
): Promise<{ readonly trainer: Machine; readonly bot: Machine }> {
  const registry = bareRepository(join(root, "registry.git"));
  const trainer = machine(root, "trainer", registry);
  const { bot = machine(root, "bot", registry), ...pulling } = options;
  for (const files of sets) {
    await publishFiles(trainer, files);
    await pullTo(testContext(), bot, pulling);
  }
  return { trainer, bot };
}

/** Publishes a model set in the place of the one before. */
export async function publishFiles(trainer: Machine, files: Files): Promise<void> {
  Deno.mkdirSync(trainer.modelsDir, { recursive: true });
  for (const { name } of Deno.readDirSync(trainer.modelsDir)) {
    Deno.removeSync(join(trainer.modelsDir, name), { recursive: true });
  }
  writeFiles(trainer.modelsDir, files);
  await publishFrom(testContext(), trainer, { allowShrink: true });
}

/** An error of the operating system, as Deno throws it. */
export function osError(
  code: string,
  make: (message: string) => Error = (message) => new Error(message),
): Error {
  return Object.assign(make(`simulated ${code}`), { code });
}
