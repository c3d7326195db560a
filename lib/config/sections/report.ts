import * as z from "zod";
import { DOCS, EnvName, LocalPath, WebAddress } from "./kinds.ts";

/** The formats of pings. */
const PING_STYLES = ["healthchecks", "plain"] as const;
export type PingStyle = (typeof PING_STYLES)[number];

/** A node counts as down after three missed heartbeats; shorter intervals only cost requests. */
const INTERVAL_SECONDS_MIN = 10;
/** Heartbeats that are rarer than hourly show less than the node's runs. */
const INTERVAL_SECONDS_MAX = 3_600;

/** With percent-encoding, a name of this length fits into the source address of an event. */
const NODE_CHARS_MAX = 128;

const NodeName = z.string().min(1).max(NODE_CHARS_MAX)
  .regex(
    /^[^\p{C}\s/](?:[^\p{C}]*[^\p{C}\s/])?$/u,
    "must be a name without control characters, such as bot-1/live",
  );

const Ping = z.strictObject({
  url_env: EnvName.optional().register(DOCS, {
    description:
      "The environment variable with the monitor's address, which is a secret. Without it, no ping is sent.",
    examples: ["MODEL_SYNC_PING_URL"],
  }),
  style: z.enum(PING_STYLES).default("healthchecks").register(DOCS, {
    description:
      "healthchecks: start, success and exit-code signals for Healthchecks.io, with the run's error. plain: one " +
      "GET request at the end with status=up or down, msg and ping, for push monitors of Uptime Kuma. A monitor " +
      "that ignores status counts a failed run as a success.",
  }),
});

/** The section `report`: dashboard, monitor and metrics file. */
export const Report = z.strictObject({
  url: WebAddress.optional().register(DOCS, {
    description:
      "The dashboard's address. Events are posted to /api/v1/events below it, and again if they did not arrive. " +
      "Without it, nothing is reported.",
    examples: ["https://models.example.com"],
  }),
  token_env: EnvName.default("MODEL_SYNC_REPORT_TOKEN").register(DOCS, {
    description: "The environment variable with this node's token for the dashboard.",
  }),
  node: NodeName.optional().register(DOCS, {
    description:
      "This machine's name on the dashboard. Default: the host name and the side, such as bot-1/client, " +
      "trainer/publisher or sync/references.",
    examples: ["bot-1"],
  }),
  interval_seconds: z.number().int().min(INTERVAL_SECONDS_MIN).max(INTERVAL_SECONDS_MAX).default(60)
    .register(DOCS, { description: "The time between two heartbeats of the daemon, in seconds." }),
  ping: Ping.prefault({}).register(DOCS, {
    description: "Pings to a monitor that alerts when they stop (a dead man's switch).",
  }),
  metrics_file: LocalPath.regex(/[^/\\]\.prom$/, "must be the path of a file whose name ends in .prom")
    .register(DOCS, { format: "path" }).optional().register(DOCS, {
      description:
        "A file for node_exporter's textfile collector, rewritten after every run. Its name must end in .prom.",
      examples: ["/var/lib/node_exporter/textfile/model_sync.prom"],
    }),
});
export type ReportSettings = z.infer<typeof Report>;
