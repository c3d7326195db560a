import * as z from "zod";
import { GENERAL } from "./general.ts";
import { Activation } from "./sections/activation.ts";
import { Alerts } from "./sections/alerts.ts";
import { Archives } from "./sections/archives.ts";
import { Artifacts } from "./sections/artifacts.ts";
import { DOCS } from "./sections/kinds.ts";
import { HuggingFace, HuggingFaceClient } from "./sections/huggingface.ts";
import { Redeploy } from "./sections/redeploy.ts";
import { References } from "./sections/references.ts";
import { Report } from "./sections/report.ts";
import { RunPod, RunPodClient } from "./sections/runpod.ts";
import { Signing } from "./sections/signing.ts";

/**
 * The section `model_sync` of the configuration file: every setting with its default and its description. The loader,
 * `config init --full`, `config schema`, the environment variables, `configs/bot.yaml` and the configuration reference are
 * derived from it.
 */
const { publisher, client, ...plain } = GENERAL;

export const ModelSync = z.strictObject({
  ...plain,
  activation: Activation.prefault({}).register(DOCS, { description: "How a pulled release is activated." }),
  publisher,
  client,
  runpod: RunPod.prefault({}).register(DOCS, {
    description: "RunPod as the carrier: a job trains and returns an archive of the models.",
  }),
  runpod_client: RunPodClient.prefault({}).register(DOCS, {
    description: "The role runpod_client of the daemon.",
  }),
  artifacts: Artifacts.prefault({}).register(DOCS, {
    description: "GitHub Actions as the carrier: a workflow trains and uploads artifacts.",
  }),
  huggingface: HuggingFace.prefault({}).register(DOCS, {
    description: "Hugging Face as the carrier: a model repository on the hub.",
  }),
  huggingface_client: HuggingFaceClient.prefault({}).register(DOCS, {
    description: "The role huggingface_client of the daemon.",
  }),
  redeploy: Redeploy.prefault({}).register(DOCS, {
    description: "Deploy hooks, which restart backends with a new release.",
  }),
  references: References.prefault({}).register(DOCS, {
    description:
      "The reference sync: it proposes a PRIMARY server's model records to repositories on GitHub by pull " +
      "request.",
  }),
  alerts: Alerts.prefault({}).register(DOCS, {
    description: "Alerts by mail, webhook or chat. An alert never changes the outcome of a run.",
  }),
  report: Report.prefault({}).register(DOCS, {
    description:
      "Reports to a dashboard, pings to a monitor, and a metrics file. None of them changes the outcome of a " +
      "run.",
  }),
  signing: Signing.prefault({}).register(DOCS, {
    description: "Signatures of releases by key: OpenSSF Model Signing 1.0.",
  }),
  archives: Archives.prefault({}).register(DOCS, {
    description:
      "Limits of archives, for every carrier. An archive beyond a limit is refused, never truncated.",
  }),
});
/** The checked configuration with all defaults. */
export type ModelSync = z.infer<typeof ModelSync>;
