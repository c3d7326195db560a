import assert from "node:assert/strict";
import { join } from "node:path";
import { TLSSocket } from "node:tls";
import * as z from "zod";
import { hasOpenssl, makeCertificates } from "../helpers/certificates.ts";
import { PROJECT } from "../helpers/run_cli.ts";
import { tempDir } from "../helpers/temp_dir.ts";

/** smtp-server reads the protocol of a connection, which Deno 2.6 does not have. */
const CAN_SERVE_TLS = "getProtocol" in TLSSocket.prototype;

const TLS = { ignore: !CAN_SERVE_TLS || !hasOpenssl() };

const Result = z.strictObject({
  messages: z.number(),
  logins: z.array(z.boolean()),
  warnings: z.array(z.string()),
});

/** Runs in its own process, with its own certificate authorities and the permissions of a command. */
function mail(folder: string, begin: string, trust: readonly string[]): z.infer<typeof Result> {
  const { success, stdout, stderr } = new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "--no-prompt",
      "--allow-read",
      "--allow-write",
      "--allow-env",
      "--allow-net",
      "--allow-sys=hostname",
      ...trust,
      "tests/notifiers/tls_mailer.ts",
      folder,
      begin,
    ],
    cwd: PROJECT,
  }).outputSync();
  assert.ok(success, new TextDecoder().decode(stderr));
  return Result.parse(JSON.parse(new TextDecoder().decode(stdout)));
}

Deno.test(
  "a password goes to a server that is vouched for, encrypted from the start or by STARTTLS",
  TLS,
  () => {
    using dir = tempDir();
    makeCertificates(dir.path);
    for (const begin of ["tls", "starttls"]) {
      const trusted = mail(dir.path, begin, ["--cert", join(dir.path, "ca.pem")]);
      assert.deepEqual(trusted, { messages: 1, logins: [true], warnings: [] }, begin);
      const unknown = mail(dir.path, begin, []);
      assert.deepEqual([unknown.messages, unknown.logins], [0, []], begin);
      assert.match(unknown.warnings.at(-1) ?? "", /^warn cannot send the alert by e-mail: .*certificate/);
    }
  },
);
