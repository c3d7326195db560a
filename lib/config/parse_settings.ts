import * as z from "zod";
import { SECTION_DEFAULTS, type Sections } from "./section_defaults.ts";
import { GENERAL } from "./general.ts";
import type { ModelSync } from "./schema.ts";
import { UNCOMPILED } from "../core/zod_options.ts";

/** The checked settings, or what is wrong with them. */
export type ParsedSettings =
  | { readonly success: true; readonly data: ModelSync }
  | { readonly success: false; readonly issues: readonly z.core.$ZodIssue[] };

type Schemas = { readonly [Name in keyof Sections]: () => Promise<z.ZodType<Sections[Name]>> };

/** The sections that are loaded only where something sets them. */
const SCHEMAS: Schemas = {
  activation: async () => (await import("./sections/activation.ts")).Activation,
  runpod: async () => (await import("./sections/runpod.ts")).RunPod,
  runpod_client: async () => (await import("./sections/runpod.ts")).RunPodClient,
  artifacts: async () => (await import("./sections/artifacts.ts")).Artifacts,
  huggingface: async () => (await import("./sections/huggingface.ts")).HuggingFace,
  huggingface_client: async () => (await import("./sections/huggingface.ts")).HuggingFaceClient,
  redeploy: async () => (await import("./sections/redeploy.ts")).Redeploy,
  references: async () => (await import("./sections/references.ts")).References,
  alerts: async () => (await import("./sections/alerts.ts")).Alerts,
  report: async () => (await import("./sections/report.ts")).Report,
  signing: async () => (await import("./sections/signing.ts")).Signing,
  archives: async () => (await import("./sections/archives.ts")).Archives,
};

const OPTIONS = { ...UNCOMPILED, reportInput: true };

/**
 * Returns the settings with all defaults, as the schema of the whole section does. A section that nothing sets has its
 * generated defaults: building its schema to parse nothing would cost half of the start of a command.
 *
 * @param raw the values below `model_sync`
 */
export async function parseSettings(raw: Readonly<Record<string, unknown>>): Promise<ParsedSettings> {
  const rest = Object.entries(raw).filter(([name]) => !Object.hasOwn(SCHEMAS, name));
  const issues: z.core.$ZodIssue[] = [];
  const general = z.strictObject(GENERAL).safeParse(Object.fromEntries(rest), OPTIONS);
  if (!general.success) issues.push(...general.error.issues);
  const section = async <Name extends keyof Sections>(name: Name): Promise<Sections[Name]> => {
    const standard = SECTION_DEFAULTS[name];
    if (raw[name] === undefined) return structuredClone(standard);
    const result = (await SCHEMAS[name]()).safeParse(raw[name], OPTIONS);
    if (result.success) return result.data;
    issues.push(...result.error.issues.map((issue) => ({ ...issue, path: [name, ...issue.path] })));
    return standard;
  };
  const sections = {
    activation: await section("activation"),
    runpod: await section("runpod"),
    runpod_client: await section("runpod_client"),
    artifacts: await section("artifacts"),
    huggingface: await section("huggingface"),
    huggingface_client: await section("huggingface_client"),
    redeploy: await section("redeploy"),
    references: await section("references"),
    alerts: await section("alerts"),
    report: await section("report"),
    signing: await section("signing"),
    archives: await section("archives"),
  };
  if (!general.success || issues.length > 0) return { success: false, issues };
  return { success: true, data: { ...general.data, ...sections } };
}
