import * as z from "zod";

export type Operation =
  | "run"
  | "status"
  | "cancel"
  | "health"
  | "job-take"
  | "job-done"
  | "job-stop"
  | "ping";

export interface ApiRequest {
  readonly operation: Operation | undefined;
  readonly method: string;
  readonly path: string;
  readonly headers: Headers;
  readonly body: string;
}

export interface JobState {
  readonly status: string;
  readonly output?: unknown;
  readonly error?: unknown;
}

/** A job, as RunPod stores it. */
export interface FakeJob {
  readonly id: string;
  readonly input: unknown;
  readonly policy: z.infer<typeof Policy>;
  readonly createdMs: number;
  startedMs: number | undefined;
  endedMs: number | undefined;
  state: JobState;
  /** The remaining states of its script. */
  script: readonly JobState[];
  isStopped: boolean;
}

export type ApiFault =
  /** Answers with this response, without effect. */
  | { readonly kind: "answer"; readonly make: () => Response | Promise<Response> }
  /** The request takes effect, and the connection breaks before the answer. */
  | { readonly kind: "lost" };

const Policy = z.object({
  executionTimeout: z.number().min(5_000).max(604_800_000).default(600_000),
  ttl: z.number().min(10_000).max(604_800_000).default(86_400_000),
  lowPriority: z.boolean().default(false),
});
export const RunRequest = z.object({ input: z.record(z.string(), z.unknown()), policy: Policy.prefault({}) });
export const Result = z.object({
  status: z.literal("IN_PROGRESS").optional(),
  output: z.unknown().optional(),
  error: z.unknown().optional(),
});

export function isOperation(name: string): name is Operation {
  return ["run", "status", "cancel", "health", "job-take", "job-done", "job-stop", "ping"].includes(name);
}

export function problem(status: number, error: string): Response {
  return Response.json({ error }, { status });
}

/** Returns an answer that breaks off after its first byte. */
export function lost(): Response {
  let isBegun = false;
  const body = new ReadableStream({
    pull(controller) {
      if (isBegun) return controller.error(new Error("broken off, as asked"));
      isBegun = true;
      controller.enqueue(new TextEncoder().encode("{"));
    },
  }, { highWaterMark: 0 });
  return new Response(body, { headers: { "content-length": "100", "content-type": "application/json" } });
}

export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
