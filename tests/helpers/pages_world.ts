import { openDashboard } from "../../web/open_dashboard.ts";
import type { ReportEvent } from "../../lib/wire/schema.ts";
import type { LocalIntake } from "../../web/local/local_intake.ts";
import { ingest } from "../../web/store/ingest.ts";
import { keys } from "../../web/store/keys.ts";
import { FakeClock } from "./fake_clock.ts";
import { fixedEnvironment, recordedLog } from "./test_context.ts";

/** An answer of the dashboard as a reader sees it. */
interface SeenPage {
  readonly status: number;
  readonly html: string;
  /** The text of the page, without tags and with entities decoded. */
  readonly text: string;
  /** The target of a redirect. */
  readonly location: string | null;
}

/** A dashboard in process, on a database in memory. */
interface PagesWorld extends Disposable {
  readonly kv: Deno.Kv;
  readonly clock: FakeClock;
  /** The state of the dashboard's local feed. */
  readonly intake: LocalIntake;
  readonly add: (...events: readonly ReportEvent[]) => Promise<void>;
  readonly see: (path: string) => Promise<SeenPage>;
}

/** Opens a dashboard with these events. @param choice `isPublic`: readers are not signed in */
export async function openPages(
  events: readonly ReportEvent[],
  { isPublic = false, now = "2026-11-29T12:00:00Z" }: { readonly isPublic?: boolean; readonly now?: string } =
    {},
): Promise<PagesWorld> {
  const kv = await Deno.openKv(":memory:");
  const clock = new FakeClock(now);
  const env = fixedEnvironment(isPublic ? { MODEL_SYNC_DASHBOARD_PASSWORD: "correct horse battery" } : {});
  if (isPublic) await kv.set(keys.settings(), { isPublic: true, retentionDays: 90 });
  const { app, dashboard: { intake } } = openDashboard({ kv, clock, log: recordedLog() }, {
    env,
    isLoopback: true,
    isDeploy: false,
  });
  const add = (...more: readonly ReportEvent[]) => ingest({ kv, clock }, more);
  await add(...events);
  const connection = { remoteAddr: { transport: "tcp", hostname: "127.0.0.1", port: 40_000 } };
  const see = async (path: string) => {
    const response = await app.fetch(new Request(new URL(path, "http://localhost:8080")), connection);
    const html = await response.text();
    return { status: response.status, html, text: textOf(html), location: response.headers.get("location") };
  };
  return { kv, clock, intake, add, see, [Symbol.dispose]: () => kv.close() };
}

const ENTITIES: Readonly<Record<string, string>> = { lt: "<", gt: ">", amp: "&", quot: '"', "#39": "'" };

/** Returns the words of HTML, with single spaces between them. */
function textOf(html: string): string {
  // Values of attributes may contain ">".
  return html.replace(/<(?:"[^"]*"|[^>"])*>/g, " ")
    .replace(/&(lt|gt|amp|quot|#39);/g, (entity, name: string) => ENTITIES[name] ?? entity)
    .replace(/\s+/g, " ").replace(/ ([.,:])/g, "$1");
}
