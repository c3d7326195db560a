import type { ModelSync } from "../config/schema.ts";
import type { Store } from "../store/store.ts";
import type { RunSink } from "../store/run_sink.ts";

/** Returns the configured sinks. Does not load the code of the others. */
export async function openSinks(settings: ModelSync, store: Store): Promise<RunSink[]> {
  const { alerts, report } = settings;
  const sinks: RunSink[] = [];
  const { email, webhook, chat } = alerts;
  if (email.host !== undefined || webhook.url !== undefined || chat.length > 0) {
    const { AlertSink } = await import("../notifiers/alert_sink.ts");
    sinks.push(new AlertSink(alerts, store));
  }
  if (report.url !== undefined) {
    const { ReportSink } = await import("../reporting/report_sink.ts");
    sinks.push(new ReportSink(store, report));
  }
  const { url_env, style } = report.ping;
  if (url_env !== undefined) {
    const { PingSink } = await import("../reporting/ping_sink.ts");
    sinks.push(new PingSink(store, { url_env, style }));
  }
  if (report.metrics_file !== undefined) {
    const { MetricsSink } = await import("../metrics/metrics_sink.ts");
    sinks.push(new MetricsSink(report.metrics_file, settings, store));
  }
  return sinks;
}
