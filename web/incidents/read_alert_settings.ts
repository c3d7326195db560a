import { constructFromEvents, CORE_SCHEMA, parseEvents, YAMLException } from "js-yaml";
import * as z from "zod";
import { COMPLAINTS_MAX, describeIssue } from "../../lib/config/complaints.ts";
import { ConfigError } from "../../lib/config/config_error.ts";
import { rememberEnvironment, rememberSettings } from "../../lib/config/remember_secrets.ts";
import { Alerts, type AlertsSettings } from "../../lib/config/sections/alerts.ts";
import { valueProblem } from "../../lib/config/value_problem.ts";
import type { Environment } from "../../lib/core/context.ts";
import { ALERTS_VARIABLE } from "./alerting.ts";

/** The limit of Deno Deploy. */
const CHARS_MAX = 16 * 1024;

/** YAML aliases can expand a short text to a huge one. */
const ALIASES_MAX = 100;

const HINT = `write the settings of model_sync.alerts into ${ALERTS_VARIABLE}, as YAML or JSON`;

/**
 * Returns the alert settings of the environment; without channels if the variable is blank. Secrets are in variables of
 * their own, and are masked in logs from here on.
 *
 * @throws {ConfigError} with every problem
 */
export function readAlertSettings(env: Environment): AlertsSettings {
  const text = env.get(ALERTS_VARIABLE) ?? "";
  rememberEnvironment(env);
  const written = withoutHeading(parse(text));
  rememberSettings(written, env);
  const result = z.object({ alerts: Alerts }).safeParse({ alerts: written }, { reportInput: true });
  if (result.success) return result.data.alerts;
  const origins = new Map([["alerts", { kind: "environment", name: ALERTS_VARIABLE } as const]]);
  const issues = result.error.issues.slice(0, COMPLAINTS_MAX);
  throw new ConfigError(issues.flatMap((issue) => describeIssue(issue, origins)), HINT);
}

/** Returns the problems in an error of {@link readAlertSettings}; `undefined` for any other error. */
export function alertComplaints(error: unknown): readonly string[] | undefined {
  return error instanceof ConfigError ? error.complaints : undefined;
}

function parse(text: string): unknown {
  if (text.length > CHARS_MAX) throw unreadable(`it has more than ${CHARS_MAX} characters`);
  const [document, ...others] = documentsOf(text);
  if (others.length > 0) throw unreadable("it holds more than one document");
  const problem = valueProblem(document);
  if (problem !== undefined) throw unreadable(`${["it", ...problem.path].join(".")} ${problem.reason}`);
  return document;
}

/** Also parses JSON, which is YAML. */
function documentsOf(text: string): unknown[] {
  try {
    return constructFromEvents(parseEvents(text, {}), {
      source: text,
      schema: CORE_SCHEMA,
      maxAliases: ALIASES_MAX,
    });
  } catch (error) {
    if (!(error instanceof YAMLException)) throw error;
    throw unreadable(error.reason);
  }
}

function unreadable(reason: string): ConfigError {
  return new ConfigError([`${ALERTS_VARIABLE}: ${reason}`], HINT);
}

/** Accepts the section with its headings, as copied from a file. */
function withoutHeading(value: unknown): unknown {
  let settings = value;
  for (const name of ["model_sync", "alerts"]) {
    if (typeof settings === "object" && settings !== null && Object.keys(settings).join() === name) {
      settings = Object.entries(settings)[0]?.[1];
    }
  }
  return settings ?? {};
}
