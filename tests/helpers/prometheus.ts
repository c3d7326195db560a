import * as z from "zod";

/** Whether Prometheus is installed, in Debian's package `prometheus`. */
export const HAS_PROMETHEUS = isInstalled();

/** The suffix for the names of tests that need it. */
export const WITHOUT_PROMETHEUS = HAS_PROMETHEUS ? "" : " (skipped: no prometheus here)";

function isInstalled(): boolean {
  try {
    return new Deno.Command("prometheus", { args: ["--version"], stdout: "null", stderr: "null" })
      .outputSync()
      .success;
  } catch {
    return false;
  }
}

/** One series of the answer to an instant query, with its time and value. */
const Answer = z.object({
  metric: z.record(z.string(), z.string()),
  value: z.tuple([z.number(), z.string()]),
});
export type Answer = z.infer<typeof Answer>;

const Query = z.object({ status: z.literal("success"), data: z.object({ result: z.array(Answer) }) });

const Rule = z.object({ name: z.string(), health: z.string(), lastError: z.string().optional() });
const Rules = z.object({ data: z.object({ groups: z.array(z.object({ rules: z.array(Rule) })) }) });

export interface Prometheus extends AsyncDisposable {
  /** Returns the current series of an expression. @throws if it is not valid */
  query(expression: string): Promise<Answer[]>;
  /** Waits until an expression has a result. */
  until(expression: string): Promise<void>;
  rules(): Promise<z.infer<typeof Rule>[]>;
}

/** Half a minute, on a busy machine. A result needs two scrapes and an evaluation: less than a second. */
const TRIES_MAX = 600;
const PAUSE_MS = 50;

/** Starts Prometheus on a free port of this machine, with `prometheus.yml` of a folder, in which it keeps its data. */
export async function startPrometheus(folder: string): Promise<Prometheus> {
  const port = freePort();
  const child = new Deno.Command("prometheus", {
    args: [
      "--config.file=prometheus.yml",
      "--storage.tsdb.path=data",
      `--web.listen-address=127.0.0.1:${port}`,
    ],
    cwd: folder,
    stdin: "null",
    stdout: "null",
    stderr: "piped",
  }).spawn();
  let said = "";
  const ready = Promise.withResolvers<void>();
  ready.promise.catch(() => {});
  const reading = (async () => {
    for await (const text of child.stderr.pipeThrough(new TextDecoderStream())) {
      said += text;
      if (said.includes("Server is ready to receive web requests")) ready.resolve();
    }
    ready.reject(new Error(`Prometheus ended: ${said}`));
  })();
  await ready.promise;
  const get = async (path: string) => await (await fetch(`http://127.0.0.1:${port}/api/v1/${path}`)).json();
  const query = async (expression: string) => {
    const answer = Query.safeParse(await get(`query?query=${encodeURIComponent(expression)}`));
    if (!answer.success) throw new Error(`${expression}: ${answer.error.message}`);
    return answer.data.data.result;
  };
  return {
    query,
    async until(expression) {
      for (let tries = 0; (await query(expression)).length === 0; tries++) {
        if (tries === TRIES_MAX) throw new Error(`${expression} has no result: ${said}`);
        await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
      }
    },
    rules: async () => Rules.parse(await get("rules")).data.groups.flatMap(({ rules }) => rules),
    async [Symbol.asyncDispose]() {
      child.kill("SIGTERM");
      await reading;
      await child.status;
    },
  };
}

function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}
