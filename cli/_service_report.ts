import type { PresentText, ServicePlan, ServiceStatus } from "../lib/service/manage_service.ts";
import type { Scope } from "../lib/service/open_manager.ts";
import type { Service, ServiceManager } from "../lib/service/service.ts";
import type { RunRecord } from "../lib/store/history.ts";
import type { Output } from "./_output.ts";

/** A service with its manager. */
export interface ManagedService {
  readonly service: Service;
  readonly manager: ServiceManager;
  readonly scope: Scope["name"];
}

export interface PlannedService extends ManagedService {
  readonly plan: ServicePlan;
}

export interface FoundService extends ManagedService, ServiceStatus {
  /** The last run of each role. */
  readonly lastRuns: readonly RunRecord[];
}

type Outcome = "unchanged" | "installed" | "updated" | "removed" | "would install" | "would uninstall";

/** Returns what an installation with this plan does. */
export function outcomeOf({ texts }: ServicePlan): Outcome {
  return texts.every(({ state }) => state === "missing") ? "installed" : "updated";
}

export function plansJson(
  results: readonly PlannedService[],
  outcome: (plan: ServicePlan) => Outcome,
): object {
  return {
    services: results.map(({ service, manager, plan }) => ({
      name: service.name,
      kind: manager.kind,
      outcome: plan.isDone ? "unchanged" satisfies Outcome : outcome(plan),
      texts: plan.texts.map(textJson),
      commands: plan.commands.map(({ command, args }) => [command, ...args]),
      runs: service.command,
      project: service.project,
      account: service.account ?? null,
      logs: manager.logs,
    })),
  };
}

/** Shows what would be done. */
export function showPlans(
  output: Output,
  results: readonly PlannedService[],
  verb: "install" | "uninstall",
): void {
  const [does, done] = verb === "install" ? ["write", "current"] : ["remove", "missing"];
  output.answer(
    { dryRun: true, ...plansJson(results, () => `would ${verb}`) },
    () =>
      results.flatMap(({ service, plan }) =>
        plan.isDone ? [`nothing to do for ${service.name}`] : [
          `would ${verb} ${service.name}`,
          ...plan.texts.filter(({ state }) => state !== done).map(({ text }) =>
            `  would ${does} ${text.place}`
          ),
          ...plan.commands.map(({ command, args }) => `  would run ${[command, ...args].join(" ")}`),
        ]
      ),
  );
}

export function installedLines(
  output: Output,
  { service, manager, plan }: PlannedService,
  scope: "system" | "user",
): string[] {
  const written = plan.texts.filter(({ state }) => state !== "current");
  const account = service.account ?? (scope === "user" ? "this user" : "root");
  // cron reads its lines at their times; there is nothing to start.
  const started = manager.kind === "cron" ? outcomeOf(plan) : `${outcomeOf(plan)} and started`;
  const did = plan.isDone ? "installed already, and active:" : started;
  return [
    `${output.paint("green", "✓")} ${did} ${output.paint("bold", service.name)}`,
    ...written.map(({ text }) => `  wrote ${text.place}`),
    ...plan.commands.map(({ command, args }) => `  ran ${[command, ...args].join(" ")}`),
    `  runs as ${account} in ${service.project}: ${service.command.join(" ")}`,
    `  logs: ${manager.logs}`,
    ...manager.notes.map((note) => `  ${note}`),
  ];
}

export function removedLines(output: Output, { service, plan }: PlannedService): string[] {
  if (plan.isDone) return [`nothing to remove: ${service.name} is not installed`];
  return [
    `${output.paint("green", "✓")} stopped and removed ${output.paint("bold", service.name)}`,
    ...plan.texts.filter(({ state }) => state !== "missing").map(({ text }) => `  removed ${text.place}`),
  ];
}

/** @param ok whether the services that count are good */
export function statusJson(found: readonly FoundService[], ok: boolean): object {
  const services = found.map(({ service, manager, texts, state, isGood, lastRuns }) => ({
    name: service.name,
    kind: manager.kind,
    ok: isGood,
    texts: texts.map(textJson),
    ...state,
    lastRuns: lastRuns.map(({ command, outcome, startedAt, error }) => ({
      command,
      outcome,
      startedAt,
      error: error ?? null,
    })),
    logs: manager.logs,
  }));
  return { ok, services };
}

/** Returns whether there is any text of a service. */
export function isInstalled({ texts }: Pick<FoundService, "texts">): boolean {
  return texts.some(({ state }) => state !== "missing");
}

/** Returns the lines of a service in a list that is not installed. */
export function absentLines(output: Output, { service }: FoundService, options: string): string[] {
  return [
    `- ${output.paint("bold", service.name)}: not installed`,
    `  install it with: model-sync service install ${options}`,
  ];
}

/** @param options those that name the service, for the next command */
export function statusLines(output: Output, found: FoundService, options: string): string[] {
  const { service, manager, texts, state, isGood, lastRuns } = found;
  return [
    `${isGood ? output.paint("green", "✓") : output.paint("red", "✗")} ${output.paint("bold", service.name)}`,
    ...texts.map(({ text, state }) => `  ${state.padEnd("outdated".length)}  ${text.place}`),
    `  ${state.isEnabled ? "enabled" : "not enabled"}, ${state.detail}`,
    ...lastRuns.map(({ command, outcome, startedAt, error }) =>
      `  last ${command}: ${outcome} at ${startedAt}${error === undefined ? "" : ` (${error.code})`}`
    ),
    `  logs: ${manager.logs}`,
    ...(isGood ? [] : [`  install or update it with: model-sync service install ${options}`]),
  ];
}

function textJson({ text, state }: PresentText): object {
  return { place: text.place, state };
}
