/** Mails an alert to a server with TLS that it starts itself, and prints the result. */
import { startMailServer } from "../../fakes/mail_server.ts";
import { alertContext, alertOf, alerts, eventOf } from "../helpers/alert_world.ts";

/** The arguments: a folder with `server.key` and `server.pem`, and whether TLS begins at once. */
const [folder = "", begin] = Deno.args;

const secure = begin === "tls";
const logins: boolean[] = [];
await using server = await startMailServer({
  secure,
  disabledCommands: [],
  allowInsecureAuth: true,
  key: Deno.readTextFileSync(`${folder}/server.key`),
  cert: Deno.readTextFileSync(`${folder}/server.pem`),
  onAuth({ username = "" }, session, done) {
    logins.push(session.secure);
    done(null, { user: username });
  },
});
const context = alertContext({ SMTP_PASSWORD: "s3cret" });
const email = {
  host: "localhost",
  port: server.port,
  secure,
  user: "bot",
  password_env: "SMTP_PASSWORD",
  from: "bot@example.com",
  to: "you@example.com",
};
await alertOf(context, alerts({ email }), `${folder}/alerts-${Deno.pid}`, eventOf());
const result = { messages: server.messages.length, logins, warnings: context.log.lines };
Deno.stdout.writeSync(new TextEncoder().encode(JSON.stringify(result)));
