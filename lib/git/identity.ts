import type { Git } from "./git.ts";

/** The settings by which a machine without a git identity commits as model-sync; none where it has one. */
export async function missingIdentity(git: Git, host: string): Promise<string[]> {
  const identity = [["user.name", "model-sync"], ["user.email", `model-sync@${host}`]] as const;
  // Each ends with NUL, and a line's end stands between its name and its value.
  const { stdout } = await git.attempt(["config", "-z", "--get-regexp", "^user\\.(name|email)$"], {
    action: "read the identity that git commits with",
  });
  const set = new TextDecoder().decode(stdout).split("\0").map((entry) => entry.split("\n", 1)[0]);
  return identity.filter(([name]) => !set.includes(name)).map(([name, value]) => `${name}=${value}`);
}
