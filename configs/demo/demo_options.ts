import { parseArgs } from "node:util";
import { UsageError } from "../../lib/core/errors.ts";
import { type ListenAddress, parseListenAddress } from "../../lib/daemon/listen_address.ts";

/** The carriers that have a demo. */
export const CARRIERS = ["git", "runpod", "github-actions", "huggingface"] as const;

const LISTEN = "127.0.0.1:8080";
/** Storing a month of this many nodes lasts minutes. */
const NODES_MAX = 1_000;

/** The text of `--help`. */
export const USAGE = `Plays the main job of model-sync in a temporary directory, and narrates it.

Usage: deno task demo [options]

  --carrier NAME   How models travel: ${CARRIERS.join(", ")} (default: git)
  --serve          End with the dashboard, which shows what the demo did
  --listen ADDR    Serve the dashboard on this address (default: ${LISTEN})
  --fleet N        Fill the dashboard with a simulated month of N nodes, 1 to ${NODES_MAX}
  -h, --help       Print this help

--listen and --fleet include --serve.`;

/** Whether the command line asks for help, beside other options. */
export function asksForUsage(args: readonly string[]): boolean {
  const end = args.indexOf("--");
  return (end < 0 ? args : args.slice(0, end)).some((arg) => arg === "--help" || arg === "-h");
}

export interface DemoOptions {
  readonly carrier: (typeof CARRIERS)[number];
  /** The address of the dashboard and the number of simulated nodes; `undefined` without a dashboard. */
  readonly dashboard: { readonly address: ListenAddress; readonly nodes: number } | undefined;
}

/**
 * Returns the options of a command line. `--listen` and `--fleet` imply `--serve`.
 *
 * @throws {UsageError} codes `DEMO_OPTION`, `LISTEN_INVALID`
 */
export function parseOptions(args: readonly string[]): DemoOptions {
  const { carrier, serve, listen, fleet } = valuesOf(args);
  const chosen = CARRIERS.find((one) => one === carrier);
  if (chosen === undefined) {
    throw invalid(`There is no demo for "${carrier}": choose ${CARRIERS.join(", ")}`);
  }
  const isServed = serve || listen !== undefined || fleet !== undefined;
  return {
    carrier: chosen,
    dashboard: isServed
      ? {
        address: parseListenAddress(listen ?? LISTEN, "--listen"),
        nodes: fleet === undefined ? 0 : nodesOf(fleet),
      }
      : undefined,
  };
}

function valuesOf(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      options: {
        carrier: { type: "string", default: "git" },
        serve: { type: "boolean", default: false },
        listen: { type: "string" },
        fleet: { type: "string" },
      },
    }).values;
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    throw invalid(error.message);
  }
}

function nodesOf(text: string): number {
  const nodes = /^\d{1,5}$/.test(text) ? Number(text) : NaN;
  if (nodes >= 1 && nodes <= NODES_MAX) return nodes;
  throw invalid(
    `Cannot simulate "${text}" nodes: use a number from 1 to ${NODES_MAX}, for example --fleet 50`,
  );
}

function invalid(message: string): UsageError {
  return new UsageError(message, { code: "DEMO_OPTION" });
}
