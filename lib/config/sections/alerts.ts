import * as z from "zod";
import { DOCS, EnvName, WebAddress } from "./kinds.ts";

/** The events that can send an alert: outcomes of runs, and `recovered` for the first success after a failure. */
export const ALERT_KINDS = [
  "failed",
  "refused",
  "rolled-back",
  "recovered",
  "activated",
  "promoted",
  "published",
  "proposed",
  "trained",
  "redeployed",
  "unchanged",
  "interrupted",
  "pruned",
  "quarantined",
  "lifted",
  "withdrawn",
  "reinstated",
  "paused",
  "resumed",
  "requested",
] as const;
export type AlertKind = (typeof ALERT_KINDS)[number];

/** The port for mail submission with a login (RFC 6409). */
const SUBMISSION_PORT = 587;

/** Use a mailing list for more recipients. */
const RECIPIENTS_MAX = 50;

const Address = z.string().regex(/^[^\p{Cc}]*[^\s@<]@[^\s@>]+>?$/u, "must be an e-mail address");

/** A host name or an IP address. */
const MailServer = z.string().regex(
  /^(?:[\p{L}\p{N}_](?:[\p{L}\p{N}_.-]*[\p{L}\p{N}_.])?|\[?[\da-f:.]*:[\da-f:.]*\]?)$/iu,
  "must be the name of a server, without a scheme and a port",
);

const Email = z.strictObject({
  host: MailServer.optional().register(DOCS, {
    description: "The mail server. Without it, no mail is sent.",
    examples: ["smtp.gmail.com"],
  }),
  port: z.number().int().min(1).max(65_535).default(SUBMISSION_PORT).register(DOCS, {
    description: "The port of the mail server: 587, 465 or 25.",
  }),
  secure: z.boolean().optional().register(DOCS, {
    description:
      "Use TLS from the start. Default: only on port 465. Other ports use STARTTLS; without STARTTLS, a password " +
      "is sent to this machine only.",
    examples: [true],
  }),
  user: z.string().min(1).optional().register(DOCS, {
    description: "The user name at the mail server.",
    examples: ["you@example.com"],
  }),
  password_env: EnvName.optional().register(DOCS, {
    description: "The environment variable with the password.",
    examples: ["SMTP_PASSWORD"],
  }),
  from: Address.optional().register(DOCS, {
    description: "The sender's address.",
    examples: ["bot@example.com"],
  }),
  to: z.union([Address, z.array(Address).min(1).max(RECIPIENTS_MAX)]).optional().register(DOCS, {
    description: "The recipient's address, or a list of addresses.",
    examples: ["you@example.com"],
  }),
}).superRefine(({ host, user, password_env, from, to }, context) => {
  const complain = (key: string, message: string) =>
    context.addIssue({ code: "custom", path: [key], message, input: undefined });
  if (host !== undefined && from === undefined) complain("from", "is needed to send mail");
  if (host !== undefined && to === undefined) complain("to", "is needed to send mail");
  if (host === undefined && (from ?? to ?? user) !== undefined) complain("host", "is needed to send mail");
  if (user !== undefined && password_env === undefined) complain("password_env", "is needed with user");
  if (user === undefined && password_env !== undefined) complain("user", "is needed with password_env");
});
export type Email = z.infer<typeof Email>;

const Webhook = z.strictObject({
  url: WebAddress.optional().register(DOCS, {
    description: "The address that gets a POST request with JSON for each alert.",
    examples: ["https://hooks.example.com/model-sync"],
  }),
  secret_env: EnvName.default("ALERTS_SECRET").register(DOCS, {
    description:
      "The environment variable with the secret that signs requests by the rules of Standard Webhooks: " +
      "webhook-signature is the HMAC-SHA256 of id.timestamp.body.",
  }),
});
export type Webhook = z.infer<typeof Webhook>;

const Chat = z.strictObject({
  type: z.enum(["slack", "discord"]),
  /** The address is a secret, so `url_env` is the better choice. */
  url: WebAddress.optional(),
  url_env: EnvName.optional(),
}).refine((chat) => (chat.url === undefined) !== (chat.url_env === undefined), {
  error: "needs either url_env, the environment variable with the address, or url",
});
export type Chat = z.infer<typeof Chat>;

/** Each channel gets every alert. */
const CHATS_MAX = 20;

/** The section `alerts`. */
export const Alerts = z.strictObject({
  on: z.array(z.enum(ALERT_KINDS)).default(["activated", "failed", "refused", "rolled-back", "recovered"])
    .register(DOCS, {
      description:
        "The events that send an alert. Ends of runs: failed, refused, rolled-back, recovered (a command succeeds " +
        "again), activated, promoted (a canary passed), published, proposed (a pull request was opened or " +
        "updated), trained, redeployed, unchanged, interrupted. Actions of operators: pruned, quarantined, lifted, " +
        "withdrawn, reinstated, paused, resumed, requested. A repeated failure sends one alert, until it changes or ends.",
    }),
  email: Email.prefault({}).register(DOCS, { description: "Alerts by mail over SMTP." }),
  webhook: Webhook.prefault({}).register(DOCS, { description: "Alerts to a program over HTTP." }),
  chat: z.array(Chat).max(CHATS_MAX).default([]).register(DOCS, {
    description:
      "Chat channels: type slack or discord, with url_env, the environment variable with the address of the " +
      "channel's incoming webhook, or with url. Servers that accept the same messages work, too.",
    examples: [[{ type: "slack", url_env: "SLACK_WEBHOOK" }]],
  }),
});
export type AlertsSettings = z.infer<typeof Alerts>;
