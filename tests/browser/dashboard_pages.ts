import type { Page } from "playwright-core";
import { addresses } from "../../web/shared/addresses.ts";
import type { FilledDashboard } from "../helpers/served_dashboard.ts";

/** A page of the filled dashboard. */
export interface DashboardPage {
  /** The name in pictures and messages. */
  readonly name: string;
  readonly path: string;
  /** The status of its answer; 200 by default. */
  readonly status?: number;
}

/** Returns a page of every kind, in the states that look different. */
export function dashboardPages({ fleet }: FilledDashboard): readonly DashboardPage[] {
  const node = (name: string) => ({ name: `node-${name.replace("/", "-")}`, path: addresses.node(name) });
  const run = (name: string, outcome: string) => {
    const found = fleet.runs(name, outcome).at(-1);
    if (found === undefined) throw new TypeError(`no run of ${name} is ${outcome}`);
    return { name: `run-${outcome}`, path: addresses.run(found.runId, name) };
  };
  // A release is published to each of its carriers.
  const [older, newest] = [...new Set(fleet.of("published", "train-1").map(({ data }) => data.digest))].slice(
    -2,
  );
  const running = fleet.of("started", "gpu-worker-3").at(-1)?.data.runId;
  return [
    { name: "fleet", path: "/" },
    { name: "fleet-filtered", path: "/?state=trouble&group=consumers" },
    { name: "fleet-nothing", path: "/?q=no-such-node" },
    node("train-1"),
    node("bot-paris"),
    node("bot-frankfurt"),
    node("api-render"),
    node("desk-chicago"),
    node("gpu-worker-3"),
    node("ops-1/references"),
    run("bot-warsaw", "failed"),
    run("bot-london", "activated"),
    run("train-2", "unchanged"),
    run("bot-oslo", "refused"),
    run("bot-madrid", "rolled-back"),
    run("ops-1/references", "proposed"),
    run("train-1", "published"),
    { name: "run-running", path: `/runs/${running}?node=gpu-worker-3` },
    { name: "news", path: "/news" },
    { name: "releases", path: "/releases" },
    { name: "release", path: `/releases/${newest}` },
    { name: "release-diff", path: `/releases/${older}?against=${newest}` },
    { name: "release-unknown", path: "/releases/0123456789ab", status: 404 },
    { name: "pull-requests", path: "/pull-requests" },
    { name: "incidents", path: "/incidents" },
    { name: "incidents-node", path: "/incidents?node=bot-madrid" },
    { name: "settings", path: "/settings" },
    { name: "settings-question", path: "/settings?ask=sign-everyone-out" },
    { name: "not-found", path: "/no/such/page", status: 404 },
  ];
}

/** Signs in through the form, which leads to the fleet page. */
export async function signIn(page: Page, { origin, password }: FilledDashboard): Promise<void> {
  await page.goto(`${origin}/sign-in`);
  await page.getByLabel("Password").fill(password);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.waitForURL(`${origin}/`);
}
