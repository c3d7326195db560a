import { z } from "zod";
import { parseJsonPath } from "../../canary/json_path.ts";
import { DOCS, EnvName, HttpAddress } from "./kinds.ts";

/** What is done about a metric that cannot be judged: wait for it, count it as degraded, or do without it. */
export const CANARY_POLICIES = ["pause", "rollback", "ignore"] as const;
export type CanaryPolicy = (typeof CANARY_POLICIES)[number];

/** Half an hour: with a sample a minute, enough for a trend and short enough to wait for. */
const DURATION_MINUTES = 30;

/** A week. Whoever watches longer wants a dashboard. */
const DURATION_MINUTES_MAX = 7 * 24 * 60;

/** All of them are sampled side by side, every interval. */
const METRICS_MAX = 20;

const JsonPath = z.string().refine((text) => parseJsonPath(text) !== undefined, {
  error: 'is no place in JSON such as stats.win_rate, results[0].value or ["a.b"]',
});

/** The name stands in logs, alerts and the state. */
const MetricName = z.string().max(64).regex(
  /^[A-Za-z0-9][\w.-]*$/,
  "must be a name of letters, digits, dots, underscores and hyphens",
);

const COMMON = {
  name: MetricName,
  /** Which way is better. */
  direction: z.enum(["higher", "lower"]),
  /** How much worse than the baseline a sample may be, as a part of the baseline; absolute where that is 0. */
  max_degradation: z.number().min(0).max(1_000).default(0.15),
  /** Beyond this value, below it for `higher`, above it for `lower`, one sample is enough. */
  catastrophic: z.number().optional(),
} as const;

const CanaryMetric = z.discriminatedUnion("type", [
  z.strictObject({
    ...COMMON,
    type: z.literal("http"),
    url: HttpAddress,
    /** Where the number stands in the JSON; without it the answer is the number. */
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
    path: z.string().min(1),
    /** Where the number stands in the file's JSON; without it the file is the number. */
    query: JsonPath.optional(),
  }),
  z.strictObject({
    ...COMMON,
    type: z.literal("command"),
    /** Program and arguments. */
    command: z.array(z.string().min(1)).min(1),
    /** Where the number stands in the JSON that it prints; without it the last line is the number. */
    path: JsonPath.optional(),
  }),
]);
export type CanaryMetric = z.infer<typeof CanaryMetric>;

const CanaryKeys = z.strictObject({
  duration_minutes: z.number().min(0).max(DURATION_MINUTES_MAX).default(DURATION_MINUTES).register(DOCS, {
    description:
      "How long a new release is watched, in minutes: 30 to 90 are usual, fractions are allowed. 0, or no metrics: not at all.",
  }),
  interval_seconds: z.number().min(0.1).max(3_600).default(60).register(DOCS, {
    description:
      "The time between two samples, in seconds. Shorter where the duration would not hold failure_limit + 1 samples.",
  }),
  failure_limit: z.number().int().min(0).max(1_000).default(2).register(DOCS, {
    description:
      "How many degraded samples of a metric are tolerated over the whole time; one more rolls the release back.",
  }),
  no_data: z.enum(CANARY_POLICIES).default("pause").register(DOCS, {
    description:
      "When a metric has no value, or had none before the swap. pause: the time stands still until it has, or, where it " +
      "had none, until you promote or abort the canary. rollback: it counts as a degraded sample. ignore: the others " +
      "decide.",
  }),
  nan: z.enum(CANARY_POLICIES).default("rollback").register(DOCS, {
    description: "The same for a metric that is not a number, or infinite.",
  }),
  metrics: z.array(CanaryMetric).max(METRICS_MAX).default([]).register(DOCS, {
    description:
      "What is watched: name, type, direction (higher or lower is better), max_degradation (0.15 of the baseline) and " +
      "catastrophic (a limit that acts at once). type http: url, and path, the place in the JSON. prometheus: url and " +
      "query. file: path, and query, the place in its JSON. command: command, a list, and path, the place in the JSON " +
      "that it prints. http and prometheus take a bearer token from the variable token_env.",
    examples: [[{
      name: "win_rate",
      type: "http",
      url: "http://localhost:8080/stats",
      path: "win_rate",
      direction: "higher",
    }]],
  }),
});

/** How a new release is watched after the swap. Without metrics the `duration_minutes` are 0, which is no canary. */
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
