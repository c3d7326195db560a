import { Alerts, type AlertsSettings } from "../../lib/config/sections/alerts.ts";
import type { Context } from "../../lib/core/context.ts";
import type { AlertEvent } from "../../lib/notifiers/alert.ts";
import { AlertSink } from "../../lib/notifiers/alert_sink.ts";
import { appendHistory } from "../../lib/store/history.ts";
import { openStore } from "../../lib/store/store.ts";
import { FakeClock, QuickClock } from "./fake_clock.ts";
import { fixedEnvironment, testContext } from "./test_context.ts";

/** Returns a context whose clock skips pauses between attempts, but not time limits. */
export function alertContext(variables: Readonly<Record<string, string>> = {}) {
  const clock: FakeClock = new QuickClock("2026-11-21T06:00:05Z", 5_000);
  return { ...testContext({ clock, env: fixedEnvironment(variables) }), clock };
}

/** Parses alerts as in the configuration file. */
export function alerts(written: object): AlertsSettings {
  return Alerts.parse(written);
}

/** Returns a failed pull, with a test's changes. */
export function eventOf(changed: Partial<AlertEvent> = {}): AlertEvent {
  return {
    outcome: "failed",
    command: "pull",
    runId: "20261121T060000Z-abc123",
    host: "bot-1",
    carrier: "git",
    modelsDir: "/srv/bot/models",
    startedAt: "2026-11-21T06:00:00Z",
    durationMs: 4_120,
    error: {
      code: "UNREACHABLE",
      message: "Cannot read <b>the branch</b> & more: example.com did not answer",
    },
    ...changed,
  };
}

/** Records a run in the store of a folder and delivers its alerts. */
export async function alertOf(
  context: Context,
  settings: AlertsSettings,
  stateDir: string,
  { modelsDir, ...record }: AlertEvent,
): Promise<void> {
  const store = openStore(Deno, { modelsDir: `${stateDir}-models`, stateDir });
  const sink = new AlertSink(settings, { ...store, modelsDir });
  await sink.started();
  appendHistory(store, record);
  await sink.deliver(context, []);
}
