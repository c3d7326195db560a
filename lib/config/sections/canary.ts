import * as z from "zod";
import { parseJsonPath } from "../../core/json_path.ts";
import { DOCS, EnvName, HttpAddress, LocalPath } from "./kinds.ts";

/** What to do about a metric without a usable value: wait, count a degraded sample, or ignore the metric. */
export const CANARY_POLICIES = ["pause", "rollback", "ignore"] as const;
export type CanaryPolicy = (typeof CANARY_POLICIES)[number];

/** Half an hour. With a sample a minute, it shows a trend and is short enough to wait for. */
const DURATION_MINUTES = 30;

/** A week. A dashboard is the better tool for longer times. */
const DURATION_MINUTES_MAX = 7 * 24 * 60;

/** All metrics are sampled in parallel at every interval. */
const METRICS_MAX = 20;

const JsonPath = z.string().refine((text) => parseJsonPath(text) !== undefined, {
  error: 'is not a place in JSON such as stats.win_rate, results[0].value or ["a.b"]',
});

/** The name appears in logs, alerts and the state. */
const MetricName = z.string().max(64).regex(
  /^[A-Za-z0-9][\w.-]*$/,
  "must be a name of letters, digits, dots, underscores and hyphens",
);

const COMMON = {
  name: MetricName,
  /** Which way is better. */
  direction: z.enum(["higher", "lower"]),
  /** How much worse than the baseline a sample may be: a fraction of the baseline, or absolute if the baseline is 0. */
  max_degradation: z.number().min(0).max(1_000).default(0.15),
  /** One sample beyond this value rolls back: below it for `higher`, above it for `lower`. */
  catastrophic: z.number().optional(),
} as const;

const CanaryMetric = z.discriminatedUnion("type", [
  z.strictObject({
    ...COMMON,
    type: z.literal("http"),
    url: HttpAddress,
    /** The place of the number in the JSON; without it, the answer is the number. */
    path: JsonPath.optional(),
    token_env: EnvName.optional(),
  }),
  z.strictObject({
    ...COMMON,
    type: z.literal("prometheus"),
    /** The server's address, without `/api/v1/query`. */
    url: HttpAddress,
    /** PromQL that gives one number. */
    query: z.string().min(1),
    token_env: EnvName.optional(),
  }),
  z.strictObject({
    ...COMMON,
    type: z.literal("file"),
    path: LocalPath,
    /** The place of the number in the file's JSON; without it, the file is the number. */
    query: JsonPath.optional(),
  }),
  z.strictObject({
    ...COMMON,
    type: z.literal("command"),
    /** Program and arguments. */
    command: z.array(z.string().min(1)).min(1),
    /** The place of the number in the JSON that the command prints; without it, the last line is the number. */
    path: JsonPath.optional(),
  }),
]);
export type CanaryMetric = z.infer<typeof CanaryMetric>;

const CanaryKeys = z.strictObject({
  duration_minutes: z.number().min(0).max(DURATION_MINUTES_MAX).default(DURATION_MINUTES).register(DOCS, {
    description:
      "How long a new release is in canary, in minutes; 30 to 90 are usual, fractions are allowed. 0, or no " +
      "metrics: no canary.",
  }),
  interval_seconds: z.number().min(0.1).max(3_600).default(60).register(DOCS, {
    description:
      "The time between two samples, in seconds. It is shortened if failure_limit + 1 samples would not fit into " +
      "the duration.",
  }),
  failure_limit: z.number().int().min(0).max(1_000).default(2).register(DOCS, {
    description:
      "How many degraded samples of a metric are tolerated in the whole canary. One more rolls the release back.",
  }),
  no_data: z.enum(CANARY_POLICIES).default("pause").register(DOCS, {
    description:
      "What to do when a metric has no value, or had none before the swap. pause: stop the canary's clock until there is a value; if " +
      "there was none before the swap, until you promote or abort the canary. rollback: count a degraded sample. " +
      "ignore: decide by the other metrics.",
  }),
  nan: z.enum(CANARY_POLICIES).default("rollback").register(DOCS, {
    description: "The same for a metric that is NaN or infinite.",
  }),
  metrics: z.array(CanaryMetric).max(METRICS_MAX).default([]).register(DOCS, {
    description:
      "The metrics. Each has name, type, direction (higher or lower is better), max_degradation (0.15 of the " +
      "baseline) and catastrophic (a limit that rolls back at once). type http: url, and path, the place in the " +
      "JSON answer. type prometheus: url and query. type file: path, and query, the place in its JSON. type " +
      "command: command, a list, and path, the place in its JSON output. http and prometheus send the bearer " +
      "token of the environment variable token_env.",
    examples: [[{
      name: "win_rate",
      type: "http",
      url: "http://localhost:8080/stats",
      path: "win_rate",
      direction: "higher",
    }]],
  }),
});

/** The section `activation.canary`. Without metrics, `duration_minutes` becomes 0, which means no canary. */
export const Canary = CanaryKeys
  .refine(({ metrics }) => new Set(metrics.map(({ name }) => name)).size === metrics.length, {
    path: ["metrics"],
    error: "two metrics have the same name",
  })
  .transform((keys) => ({
    ...keys,
    duration_minutes: keys.metrics.length === 0 ? 0 : keys.duration_minutes,
  }));
export type CanarySettings = z.infer<typeof Canary>;
