import { PROJECT } from "../helpers/run_cli.ts";
import { taskWords } from "./task_flags.ts";
import type { Workbench } from "./workbench.ts";

/** A dashboard that runs in a process of its own. */
export interface DashboardProcess extends AsyncDisposable {
  readonly origin: string;
  readonly pid: number;
}

/** Starts a dashboard with a database. */
export async function startDashboard(bench: Workbench, file: string): Promise<DashboardProcess> {
  const child = new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "--config",
      `${PROJECT}deno.json`,
      ...taskWords("dashboard"),
      "--listen",
      "127.0.0.1:0",
      "--kv",
      file,
    ],
    cwd: bench.dir,
    stdin: "null",
    stdout: "piped",
    stderr: "null",
    signal: bench.signal,
  }).spawn();
  let printed = "";
  for await (const text of child.stdout.pipeThrough(new TextDecoderStream())) {
    printed += text;
    if (printed.includes("\n")) break;
  }
  const [origin = ""] = /http:\S+/.exec(printed) ?? [];
  return {
    origin,
    pid: child.pid,
    async [Symbol.asyncDispose]() {
      child.kill();
      await child.status;
    },
  };
}

/** Reads a page as a whole. Returns its time and size. */
export async function readPage(url: string): Promise<{ readonly wallMs: number; readonly bytes: number }> {
  const startMs = performance.now();
  const response = await fetch(url);
  const text = await response.text();
  if (!response.ok || !text.endsWith("</html>")) throw new Error(`${url} answered ${response.status}`);
  return { wallMs: performance.now() - startMs, bytes: new TextEncoder().encode(text).length };
}

/** The process's peak memory, on Linux. */
export function peakMB(pid: number): number {
  const status = Deno.readTextFileSync(`/proc/${pid}/status`);
  const [, kilobytes = "NaN"] = /^VmHWM:\s+(\d+) kB$/m.exec(status) ?? [];
  return Math.round(Number(kilobytes) * 1024 / 1e6);
}
