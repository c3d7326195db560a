import type { ModelSync } from "../lib/config/schema.ts";
import { UsageError } from "../lib/core/errors.ts";
import type { Session } from "./_command.ts";
import type { Permissions } from "./_world.ts";

const NARROWED = ["net", "run"] as const;
/** What a command may need for its carrier, or for what is configured around it. */
export type Need = (typeof NARROWED)[number];

/**
 * Gives up what neither the command nor the configuration needs, as soon as that is known: a pull from git without
 * hooks cannot open a connection, whatever a model makes it do.
 *
 * @param needs what the command needs whatever is configured
 * @throws {UsageError} code `PERMISSION_GIVEN_UP` when a configuration that changed needs what was given up
 */
export function narrowPermissions(
  { settings, permissions }: Pick<Session, "settings" | "permissions">,
  needs: readonly Need[],
): void {
  const needed = new Set<Need>([...needs, ...configuredNeeds(settings)]);
  for (const name of NARROWED) {
    if (needed.has(name)) {
      if (permissions.givenUp.has(name)) throw givenUpError(name);
    } else {
      permissions.giveUp(name);
    }
  }
}

/** Gives up what a command does not need that neither pulls nor activates, but is reported. */
export function narrowToReporting(
  { settings, permissions }: Pick<Session, "settings" | "permissions">,
): void {
  permissions.giveUp("run");
  if (!reportsByNet(settings)) permissions.giveUp("net");
}

/** Permissions of which these are not given up: something else in this process needs them. */
export function keepPermissions(permissions: Permissions, needs: readonly Need[]): Permissions {
  const kept: readonly string[] = needs;
  return {
    givenUp: permissions.givenUp,
    giveUp: (name) => kept.includes(name) ? undefined : permissions.giveUp(name),
  };
}

function givenUpError(name: Need): UsageError {
  const what = name === "net" ? "open connections" : "run programs";
  return new UsageError(
    `Cannot use what is configured under activation, alerts or report: this process gave up the permission to ${what} ` +
      "when nothing needed it",
    { code: "PERMISSION_GIVEN_UP", hint: "start the daemon again" },
  );
}

/** What hooks, metrics, alerts and reports need. */
function configuredNeeds(settings: ModelSync): Need[] {
  const { validate, reload, canary } = settings.activation;
  const types = [...reload, ...canary.metrics].map(({ type }) => type);
  const usesNet = types.some((type) => !LOCAL_TYPES.includes(type)) || reportsByNet(settings);
  // Models are tried in a process of their own.
  const runs = validate.enabled || types.some((type) => RUNNING_TYPES.includes(type));
  return [...(usesNet ? ["net" as const] : []), ...(runs ? ["run" as const] : [])];
}

function reportsByNet({ alerts, report }: ModelSync): boolean {
  return alerts.email.host !== undefined || alerts.webhook.url !== undefined || alerts.chat.length > 0 ||
    report.url !== undefined || report.ping.url_env !== undefined;
}

/** Sending a signal counts as running, for the runtime. */
const RUNNING_TYPES = ["command", "signal"];

const LOCAL_TYPES = [...RUNNING_TYPES, "file"];
