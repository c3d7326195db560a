import { z } from "zod";
import { DOCS, EnvName, WebAddress } from "./kinds.ts";

/** What can send an alert: how a run ended, and that a command that had failed works again. */
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
  "paused",
  "resumed",
  "requested",
] as const;
export type AlertKind = (typeof ALERT_KINDS)[number];

/** Where mail is handed in by those who log in (RFC 6409). */
const SUBMISSION_PORT = 587;

/** A list of people; more of them have a mailing list. */
const RECIPIENTS_MAX = 50;

const Address = z.string().regex(/^[^\p{Cc}]*[^\s@<]@[^\s@>]+>?$/u, "must be an e-mail address");

/** A name or an address, as a resolver takes it. */
const MailServer = z.string().regex(
  /^(?:[\p{L}\p{N}_](?:[\p{L}\p{N}_.-]*[\p{L}\p{N}_.])?|\[?[\da-f:.]*:[\da-f:.]*\]?)$/iu,
  "must be the name of a server, without a scheme and a port",
);

const Email = z.strictObject({
  host: MailServer.optional().register(DOCS, {
    description: "The mail server. Without it no mail is sent.",
    examples: ["smtp.gmail.com"],
  }),
  port: z.number().int().min(1).max(65_535).default(SUBMISSION_PORT).register(DOCS, {
    description: "Its port: 587, 465 or 25.",
  }),
  secure: z.boolean().optional().register(DOCS, {
    description:
      "TLS from the start; by default on port 465. On other ports STARTTLS is used, and no password is sent without " +
      "it, but to this machine itself.",
    examples: [true],
  }),
  user: z.string().min(1).optional().register(DOCS, {
    description: "Who logs in there.",
    examples: ["you@example.com"],
  }),
  password_env: EnvName.optional().register(DOCS, {
    description: "The environment variable that holds the password.",
    examples: ["SMTP_PASSWORD"],
  }),
  from: Address.optional().register(DOCS, {
    description: "The sender's address.",
    examples: ["bot@example.com"],
  }),
  to: z.union([Address, z.array(Address).min(1).max(RECIPIENTS_MAX)]).optional().register(DOCS, {
    description: "The recipient's address, or a list of them.",
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
    description: "Gets a POST of JSON for each alert.",
    examples: ["https://hooks.example.com/model-sync"],
  }),
  secret_env: EnvName.default("ALERTS_SECRET").register(DOCS, {
    description:
      "The environment variable with the secret that requests are signed with, as Standard Webhooks has it: " +
      "webhook-signature is the HMAC-SHA256 over id.timestamp.body.",
  }),
});
export type Webhook = z.infer<typeof Webhook>;

const Chat = z.strictObject({
  type: z.enum(["slack", "discord"]),
  /** The whole address is a secret: better in a variable. */
  url: WebAddress.optional(),
  url_env: EnvName.optional(),
}).refine((chat) => (chat.url === undefined) !== (chat.url_env === undefined), {
  error: "needs either url_env, the variable that holds the address, or url",
});
export type Chat = z.infer<typeof Chat>;

/** Channels of one team; each is told of everything. */
const CHATS_MAX = 20;

/** Who hears of how runs end. */
export const Alerts = z.strictObject({
  on: z.array(z.enum(ALERT_KINDS)).default(["activated", "failed", "refused", "rolled-back", "recovered"])
    .register(DOCS, {
      description:
        "Which events send an alert: failed, refused, rolled-back, recovered (a command works again), activated, promoted (its canary passed), published, trained, " +
        "redeployed, unchanged, interrupted; and what operators do: pruned, quarantined, lifted, paused, resumed, requested. A failure that repeats sends one alert, until it changes or ends.",
    }),
  email: Email.prefault({}).register(DOCS, { description: "Alerts by mail, over SMTP." }),
  webhook: Webhook.prefault({}).register(DOCS, { description: "Alerts to a program." }),
  chat: z.array(Chat).max(CHATS_MAX).default([]).register(DOCS, {
    description:
      "Chat channels: type slack or discord, with url_env, the variable that holds the address of the channel's " +
      "incoming webhook, or url. Servers that understand the same messages do, too.",
    examples: [[{ type: "slack", url_env: "SLACK_WEBHOOK" }]],
  }),
});
export type AlertsSettings = z.infer<typeof Alerts>;
