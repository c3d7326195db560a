/** The commands that a role of the daemon runs. */
const COMMANDS: Readonly<Record<string, readonly string[]>> = {
  publisher: ["publish", "train", "hf-upload"],
  client: ["pull"],
  runpod_client: ["runpod-pull"],
  artifact_client: ["artifact-pull"],
  huggingface_client: ["hf-pull"],
  references: ["references-sync"],
};

/** Returns whether runs of the command serve a due time of the role. Every command serves an unknown role. */
export function isRunOfRole(role: string, command: string): boolean {
  // A role could be named like an inherited property, such as `constructor`.
  const commands = Object.hasOwn(COMMANDS, role) ? COMMANDS[role] : undefined;
  return commands?.includes(command) ?? true;
}

const SCHEDULED: ReadonlySet<string> = new Set(Object.values(COMMANDS).flat());

/**
 * Returns the command that a node without a daemon mainly runs: the most frequent of those that a schedule runs, of
 * equally frequent ones the later. A node without any of those is named by its last command.
 *
 * @param runs oldest first
 */
export function usualCommand(runs: readonly { readonly command: string }[]): string | undefined {
  const commands = runs.map(({ command }) => command).reverse();
  const counts = Map.groupBy(commands.filter((command) => SCHEDULED.has(command)), (command) => command);
  const [usual] = Array.from(counts).sort(([, a], [, b]) => b.length - a.length);
  return usual?.[0] ?? commands[0];
}
