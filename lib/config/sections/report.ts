import { z } from "zod";
import { DOCS, EnvName, WebAddress } from "./kinds.ts";

/** The monitors that a ping can speak to. */
export const PING_STYLES = ["healthchecks", "plain"] as const;
export type PingStyle = (typeof PING_STYLES)[number];

/** A node is late after it missed a few heartbeats: more often than this only costs requests. */
const INTERVAL_SECONDS_MIN = 10;
/** A node that reports less than once an hour is better watched by its runs. */
const INTERVAL_SECONDS_MAX = 3_600;

/** Percent-encoded, the name still fits into the address of an event's source. */
const NODE_CHARS_MAX = 128;

const NodeName = z.string().min(1).max(NODE_CHARS_MAX)
  .regex(
    /^[^\p{C}\s/](?:[^\p{C}]*[^\p{C}\s/])?$/u,
    "must be a name without control characters, such as bot-1/live",
  );

const Ping = z.strictObject({
  url_env: EnvName.optional().register(DOCS, {
    description:
      "The environment variable that holds the monitor's address, which is a secret. Without it no ping is sent.",
    examples: ["MODEL_SYNC_PING_URL"],
  }),
  style: z.enum(PING_STYLES).default("healthchecks").register(DOCS, {
    description:
      "healthchecks: Healthchecks.io's start, success and exit-code signals with the run's error. plain: one GET at " +
      "the end with status=up or down, msg and ping, as Uptime Kuma's push monitors expect. A monitor that ignores " +
      "status takes a failed run for a good one.",
  }),
});

/** Where this machine reports its runs to. */
export const Report = z.strictObject({
  url: WebAddress.optional().register(DOCS, {
    description:
      "The dashboard's address. Events are posted to /api/v1/events below it. Without it nothing is reported.",
    examples: ["https://models.example.com"],
  }),
  token_env: EnvName.default("MODEL_SYNC_REPORT_TOKEN").register(DOCS, {
    description: "The environment variable with this node's token for the dashboard.",
  }),
  node: NodeName.optional().register(DOCS, {
    description:
      "This machine's name on the dashboard. Default: the host and what the run is for, such as bot-1/client, " +
      "trainer/publisher or sync/references.",
    examples: ["bot-1"],
  }),
  interval_seconds: z.number().int().min(INTERVAL_SECONDS_MIN).max(INTERVAL_SECONDS_MAX).default(60)
    .register(DOCS, { description: "How often the daemon sends a heartbeat, in seconds." }),
  ping: Ping.prefault({}).register(DOCS, {
    description: "Pings for a dead man's switch: a monitor that alerts when they stop.",
  }),
  metrics_file: z.string().regex(/[^/\\]\.prom$/, "must be the path of a file whose name ends in .prom")
    .optional().register(DOCS, {
      description:
        "A file for node_exporter's textfile collector, rewritten after every run. Its name ends in .prom.",
      examples: ["/var/lib/node_exporter/textfile/model_sync.prom"],
    }),
});
/** As {@link Report}. */
export type ReportSettings = z.infer<typeof Report>;
