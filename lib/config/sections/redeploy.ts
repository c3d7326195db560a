import * as z from "zod";
import { DOCS, EnvName, HttpAddress } from "./kinds.ts";

const DEPLOY_KINDS = ["render", "railway", "railway-api", "vercel", "generic"] as const;

const Hook = z.strictObject({
  type: z.enum(DEPLOY_KINDS),
  /** The environment variable with the hook's URL, which is a secret. */
  url_env: EnvName.optional(),
  method: z.enum(["POST", "GET"]).default("POST"),
  /** For `railway-api` only: the service, its environment, and the variable with the token. */
  service_id: z.string().min(1).optional(),
  environment_id: z.string().min(1).optional(),
  token_env: EnvName.optional(),
});
export type Hook = z.infer<typeof Hook>;

/** The section `redeploy`: deploy hooks, and the check that a backend serves the new release. */
export const Redeploy = z.strictObject({
  hooks: z.array(Hook).max(50).default([]).register(DOCS, {
    description:
      "The deploy hooks. type render, railway, vercel or generic: url_env, the environment variable with the " +
      "hook's URL. type railway-api: service_id, environment_id and token_env. Default: every hook whose " +
      "variable is set: RENDER_DEPLOY_HOOK, RAILWAY_DEPLOY_HOOK, VERCEL_DEPLOY_HOOK, DEPLOY_HOOK.",
    examples: [[{ type: "render", url_env: "RENDER_DEPLOY_HOOK" }]],
  }),
  verify_url: HttpAddress.optional().register(DOCS, {
    description: "The backend's address that returns its release as JSON. --wait polls it.",
    examples: ["https://backend.example.com/health"],
  }),
  verify_field: z.string().min(1).optional().register(DOCS, {
    description:
      "The field with the digest in that answer, as a dotted path. Default: release, digest or current.digest.",
    examples: ["model.release"],
  }),
  verify_token_env: EnvName.optional().register(DOCS, {
    description: "The environment variable with a bearer token for verify_url.",
    examples: ["BACKEND_TOKEN"],
  }),
  wait_timeout_sec: z.number().positive().max(86_400).default(900).register(DOCS, {
    description: "How long --wait waits for the backend, in seconds. Builds take minutes.",
  }),
  poll_interval_sec: z.number().min(1).max(3_600).default(10).register(DOCS, {
    description: "The time between two requests to verify_url, in seconds.",
  }),
  request_timeout_sec: z.number().min(1).max(600).default(30).register(DOCS, {
    description: "The time limit of one request, in seconds.",
  }),
});
