import type { Git } from "./git.ts";

/** The settings by which a machine without a git identity commits as model-sync; none where it has one. */
export async function missingIdentity(git: Git, host: string): Promise<string[]> {
  const identity = [["user.name", "model-sync"], ["user.email", `model-sync@${host}`]] as const;
  const missing: string[] = [];
  for (const [name, value] of identity) {
    const result = await git.attempt(["config", "--get", name], { action: `read ${name}` });
    if (result.code !== 0) missing.push(`${name}=${value}`);
  }
  return missing;
}
