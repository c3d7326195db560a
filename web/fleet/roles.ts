/** The commands that a role of the daemon runs. */
const COMMANDS: Readonly<Record<string, readonly string[]>> = {
  publisher: ["publish", "train", "hf-upload"],
  client: ["pull"],
  runpod_client: ["runpod-pull"],
  artifact_client: ["artifact-pull"],
  huggingface_client: ["hf-pull"],
  references: ["references-sync"],
};

/** Returns whether runs of the command serve a due time of the role; of a role of a later version, every command does. */
export function isRunOfRole(role: string, command: string): boolean {
  // A role may be named as what every object has, such as `constructor`.
  const commands = Object.hasOwn(COMMANDS, role) ? COMMANDS[role] : undefined;
  return commands?.includes(command) ?? true;
}
