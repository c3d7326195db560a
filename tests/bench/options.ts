import { FULL, QUICK, type Scale } from "./scale.ts";

export const USAGE = "Usage: deno task bench [--quick] [--json] [NAME...]";

export interface BenchOptions {
  readonly scale: Scale;
  readonly json: boolean;
  /** The scenarios to run, in the order of the table. */
  readonly names: readonly string[];
}

/** An invalid command line; the message says why. */
export class BenchUsageError extends Error {
  override readonly name = "BenchUsageError";
}

/**
 * Returns the options of a command line, or "help".
 *
 * @param known the names of all scenarios
 * @param onlyNamed those that are run only if a name chooses them
 * @throws {BenchUsageError}
 */
export function parseBenchOptions(
  args: readonly string[],
  known: readonly string[],
  onlyNamed: readonly string[] = [],
): BenchOptions | "help" {
  if (args.includes("--help") || args.includes("-h")) return "help";
  const flags = args.filter((arg) => arg.startsWith("-"));
  const prefixes = args.filter((arg) => !arg.startsWith("-"));
  const wrongFlag = flags.find((flag) => flag !== "--quick" && flag !== "--json");
  if (wrongFlag !== undefined) throw new BenchUsageError(`unknown option ${wrongFlag}. ${USAGE}`);
  const wrongName = prefixes.find((prefix) => !known.some((name) => name.startsWith(prefix)));
  if (wrongName !== undefined) {
    throw new BenchUsageError(`no scenario begins with "${wrongName}": choose from ${known.join(", ")}`);
  }
  const isChosen = (name: string) =>
    prefixes.length === 0 ? !onlyNamed.includes(name) : prefixes.some((prefix) => name.startsWith(prefix));
  return {
    scale: flags.includes("--quick") ? QUICK : FULL,
    json: flags.includes("--json"),
    names: known.filter(isChosen),
  };
}
