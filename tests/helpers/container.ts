import { join } from "node:path";
import { DOCKER } from "./compose.ts";

/** The reason why first processes cannot be tested here: making namespaces of one's own needs root, and Linux. */
export const NO_NAMESPACES = namespacesProblem();

function namespacesProblem(): string | undefined {
  if (Deno.build.os !== "linux") return "no Linux namespaces here";
  try {
    const { success } = new Deno.Command("unshare", {
      args: ["--pid", "--mount", "--fork", "--mount-proc", "mount", "-o", "remount,bind,ro", "/"],
      stdin: "null",
      stderr: "null",
    }).outputSync();
    return success ? undefined : "making namespaces is not allowed here";
  } catch {
    return "no unshare here";
  }
}

export interface ContainerOptions {
  readonly cwd: string;
  readonly env?: Readonly<Record<string, string>>;
  /** The folders that can be written, for volumes; they have to exist. */
  readonly volumes: readonly string[];
}

/** A program that runs as the first process of its own process namespace, on a read-only root. */
export interface Container extends AsyncDisposable {
  /** Waits for a match in its output. @throws if it ends before */
  until(pattern: RegExp): Promise<RegExpExecArray>;
  readonly output: () => string;
  /** Sends SIGTERM to the first process, as `docker stop` does. @returns the exit code */
  stop(): Promise<number>;
  readonly code: Promise<number>;
}

/** Makes the volumes mounts of their own, which stay writable, and the root read-only. */
const PREPARE = `
while [ "$1" != -- ]; do mount --bind "$1" "$1"; shift; done
shift
mount -o remount,bind,ro /
exec "$@"
`;

/** Returns a command line of the image with the programs of this machine. */
export function hostPrograms(
  args: readonly string[],
  programs: Readonly<Record<string, readonly string[]>>,
): string[] {
  return args.flatMap((arg) =>
    arg === "entrypoint" ? [join(DOCKER, "entrypoint.sh")] : programs[arg] ?? [arg]
  );
}

/** Starts a command line like a container of compose. */
export function startContainer(
  args: readonly string[],
  { cwd, env = {}, volumes }: ContainerOptions,
): Container {
  const child = new Deno.Command("unshare", {
    args: [
      "--pid",
      "--mount",
      "--fork",
      "--mount-proc",
      "--kill-child",
      "sh",
      "-c",
      PREPARE,
      "sh",
      ...volumes,
      "--",
      ...args,
    ],
    cwd,
    env: { NO_COLOR: "1", ...env },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  let output = "";
  let news = Promise.withResolvers<void>();
  const collect = async (stream: ReadableStream<Uint8Array<ArrayBuffer>>) => {
    for await (const text of stream.pipeThrough(new TextDecoderStream())) {
      output += text;
      news.resolve();
      news = Promise.withResolvers();
    }
  };
  let isOver = false;
  const code = Promise.all([collect(child.stdout), collect(child.stderr), child.status]).then(
    ([, , { code }]) => {
      isOver = true;
      news.resolve();
      return code;
    },
  );
  const stop = async () => {
    // The only child of unshare is the first process of the namespace.
    const [pid = ""] = Deno.readTextFileSync(`/proc/${child.pid}/task/${child.pid}/children`).trim().split(
      " ",
    );
    Deno.kill(Number(pid), "SIGTERM");
    return await code;
  };
  return {
    async until(pattern) {
      for (;;) {
        const found = pattern.exec(output);
        if (found !== null) return found;
        if (isOver) throw new Error(`it ended: ${output}`);
        await news.promise;
      }
    },
    output: () => output,
    stop,
    code,
    async [Symbol.asyncDispose]() {
      if (isOver) return;
      child.kill("SIGKILL");
      await code;
    },
  };
}
