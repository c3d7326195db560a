import assert from "node:assert/strict";
import { join } from "node:path";

/** Certificates are made by openssl. */
export function hasOpenssl(): boolean {
  try {
    return new Deno.Command("openssl", { args: ["version"] }).outputSync().success;
  } catch {
    return false;
  }
}

/** Creates `server.pem` for localhost with `server.key`, signed by `ca.pem`. */
export function makeCertificates(folder: string): void {
  Deno.writeTextFileSync(join(folder, "extensions"), "subjectAltName=DNS:localhost");
  for (
    const args of [
      "req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.pem -days 2 -subj /CN=Test",
      "req -newkey rsa:2048 -nodes -keyout server.key -out server.csr -subj /CN=localhost",
      "x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile extensions " +
      "-out server.pem",
    ]
  ) {
    const { success, stderr } = new Deno.Command("openssl", { args: args.split(" "), cwd: folder })
      .outputSync();
    assert.ok(success, new TextDecoder().decode(stderr));
  }
}
