import assert from "node:assert/strict";
import { join } from "node:path";
import * as z from "zod";
import { cleanLine } from "../../lib/core/clean_text.ts";
import { ModelSyncError, TransientError } from "../../lib/core/errors.ts";
import type { Http } from "../../lib/core/context.ts";
import { requestJson } from "../../lib/http/request.ts";
import { networkError } from "../../lib/http/network_error.ts";
import { outgoingHttp } from "../../lib/http/outgoing_http.ts";
import { REQUEST_RETRIES, withRetry } from "../../lib/core/retry.ts";
import { mayHaveStarted } from "../../lib/runpod/client.ts";
import { hasOpenssl, makeCertificates } from "../helpers/certificates.ts";
import { QuickClock } from "../helpers/fake_clock.ts";
import { tempDir, writeFiles } from "../helpers/temp_dir.ts";
import { fixedEnvironment, testContext } from "../helpers/test_context.ts";

const OPENSSL = { ignore: !hasOpenssl() };

interface Reach {
  readonly url: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly processEnv?: Readonly<Record<string, string>>;
  readonly http?: Http;
}

/** Asks for a JSON as commands do, with retries. */
async function reach({ url, env = {}, processEnv = {}, http = fetch }: Reach) {
  const clock = new QuickClock("2026-11-21T00:00:00Z", 60_000);
  const context = testContext({ clock, env: fixedEnvironment(env) });
  using outgoing = outgoingHttp(http, context, fixedEnvironment(processEnv));
  const asking = { ...context, http: outgoing.http };
  const request = { url, what: "the models", timeoutMs: 24 * 3_600_000 };
  const ask = () => requestJson(asking, request, z.object({ ok: z.literal(true) }));
  let error: unknown;
  try {
    await withRetry(context, REQUEST_RETRIES, ask);
  } catch (thrown) {
    error = thrown;
  }
  assert.ok(error === undefined || error instanceof ModelSyncError, String(error));
  const warnings = context.log.lines.filter((line) => /^warn Cannot use /.test(line));
  return { error, pauses: clock.pausesMs.length, warnings };
}

/** A server with a certificate that only `ca.pem` vouches for. */
function startTls(folder: string, owner: "server" | "ca" = "server") {
  makeCertificates(folder);
  const [cert, key] = [`${owner}.pem`, `${owner}.key`].map((name) =>
    Deno.readTextFileSync(join(folder, name))
  );
  assert.ok(cert !== undefined && key !== undefined);
  const options = { hostname: "127.0.0.1", port: 0, onListen: () => {}, cert, key };
  const server = Deno.serve(options, () => Response.json({ ok: true }));
  return {
    url: `https://localhost:${server.addr.port}/models`,
    [Symbol.asyncDispose]: () => server.shutdown(),
  };
}

Deno.test(
  "a certificate of an unknown authority fails at once, and the message says how to trust it",
  OPENSSL,
  async () => {
    using dir = tempDir();
    await using server = startTls(dir.path);
    const { error, pauses } = await reach(server);
    assert.deepEqual([error?.code, error?.exitCode, pauses], ["CERTIFICATE_UNTRUSTED", 4, 0]);
    assert.match(
      error?.message ?? "",
      /^Cannot read the models: the certificate of localhost:\d+ is not trusted \(UnknownIssuer\)$/,
    );
    assert.match(error?.hint ?? "", /in DENO_CERT, or set DENO_TLS_CA_STORE=system/);
    assert.ok(!mayHaveStarted(error));
    const wrongName = await reach({
      url: server.url.replace("localhost", "127.0.0.1"),
      env: { SSL_CERT_FILE: join(dir.path, "ca.pem") },
    });
    assert.deepEqual([wrongName.error?.code, wrongName.pauses], ["CERTIFICATE_UNTRUSTED", 0]);
    assert.match(wrongName.error?.hint ?? "", /check that 127\.0\.0\.1:\d+ is the right server/);
  },
);

Deno.test("an expired certificate is reported with its date", () => {
  const words =
    "invalid peer certificate: certificate expired: verification time 1795989111 (UNIX), but certificate " +
    "is not valid after 1609459200 (186529911 seconds ago)";
  const error = networkError(
    new TypeError("fetch failed", { cause: new Error(words) }),
    { what: "it" },
    "a.example",
  );
  assert.ok(error instanceof ModelSyncError);
  assert.equal(
    error.message,
    "Cannot read it: the certificate of a.example is not trusted (not valid after 2021-01-01T00:00:00Z)",
  );
  assert.match(error.hint ?? "", /^check this machine's clock/);
});

Deno.test(
  "an authority's own certificate on a server gets its own hint, because the runtime never accepts it",
  OPENSSL,
  async () => {
    using dir = tempDir();
    await using server = startTls(dir.path, "ca");
    const { error } = await reach({ url: server.url, env: { SSL_CERT_FILE: join(dir.path, "ca.pem") } });
    assert.equal(error?.code, "CERTIFICATE_UNTRUSTED");
    assert.match(
      error?.hint ?? "",
      /^give localhost:\d+ a certificate that is not a certificate authority's own/,
    );
  },
);

Deno.test(
  "the authorities of Python's variables are trusted: a file, a bundle, a folder",
  OPENSSL,
  async () => {
    using dir = tempDir();
    await using server = startTls(dir.path);
    const ca = join(dir.path, "ca.pem");
    writeFiles(join(dir.path, "folder"), {
      "README": "no certificate",
      "ours.crt": Deno.readTextFileSync(ca),
    });
    for (
      const env of [
        { SSL_CERT_FILE: ca },
        { REQUESTS_CA_BUNDLE: ca },
        { REQUESTS_CA_BUNDLE: join(dir.path, "folder") },
        { CURL_CA_BUNDLE: ca, REQUESTS_CA_BUNDLE: "" },
        { DENO_CERT: ca, SSL_CERT_FILE: join(dir.path, "server.csr") },
      ]
    ) {
      const { error } = await reach({ ...server, env });
      assert.equal(error, undefined, `${JSON.stringify(env)}: ${error?.message}`);
    }
    // requests looks at the other variable only where this one is not set.
    const other = await reach({
      ...server,
      env: { CURL_CA_BUNDLE: ca, REQUESTS_CA_BUNDLE: join(dir.path, "no") },
    });
    assert.equal(other.error?.code, "CERTIFICATE_UNTRUSTED");
    assert.match(other.warnings.join(), /Cannot use REQUESTS_CA_BUNDLE: .* does not exist/);
    Deno.mkdirSync(join(dir.path, "empty"));
    const empty = await reach({ ...server, env: { SSL_CERT_FILE: join(dir.path, "empty") } });
    assert.match(empty.warnings.join(), /Cannot use SSL_CERT_FILE: .*empty holds no certificate in PEM/);
  },
);

Deno.test(
  "an unusable certificate authority is skipped with a warning, and the others stay trusted",
  OPENSSL,
  async () => {
    using dir = tempDir();
    await using server = startTls(dir.path);
    const damaged = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    writeFiles(dir.path, { "damaged.pem": damaged, "text.pem": "hello" });
    for (
      const [name, says] of [["damaged.pem", /a damaged certificate/], [
        "text.pem",
        /no certificate in PEM/,
      ]] as const
    ) {
      const env = { SSL_CERT_FILE: join(dir.path, name), REQUESTS_CA_BUNDLE: join(dir.path, "ca.pem") };
      const { error, warnings } = await reach({ ...server, env });
      assert.equal(error, undefined, error?.message);
      assert.equal(warnings.length, 1);
      assert.match(warnings.join(), says);
    }
  },
);

/** A proxy that answers CONNECT with this status. */
function startProxy(status: string) {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const serving = (async () => {
    for await (const connection of listener) {
      await connection.read(new Uint8Array(4096));
      const head = `HTTP/1.1 ${status}\r\nProxy-Authenticate: Basic realm="x"\r\nContent-Length: 0\r\n\r\n`;
      await connection.write(new TextEncoder().encode(head));
      connection.close();
    }
  })();
  return {
    host: `127.0.0.1:${listener.addr.port}`,
    async [Symbol.asyncDispose]() {
      listener.close();
      await serving;
    },
  };
}

/** What the runtime does with `HTTPS_PROXY` in the environment of its process. */
async function reachOver(host: string, url: string, processEnv: Readonly<Record<string, string>>) {
  const client = Deno.createHttpClient({ proxy: { url: `http://${host}` } });
  try {
    return await reach({ url, processEnv, http: (input, init) => fetch(input, { ...init, client }) });
  } finally {
    client.close();
  }
}

Deno.test("an error names the proxy if the proxy refuses, requires a password or is unreachable", async () => {
  const url = "https://huggingface.invalid/models";
  {
    await using proxy = startProxy("403 Forbidden");
    const { error, pauses } = await reachOver(proxy.host, url, {
      HTTPS_PROXY: `http://user:pr0xy-pw@${proxy.host}`,
    });
    assert.deepEqual([error?.code, error?.exitCode, pauses], ["PROXY_REFUSED", 4, 5]);
    assert.match(
      error?.message ?? "",
      new RegExp(`the proxy ${proxy.host} \\(HTTPS_PROXY\\) does not connect to huggingface\\.invalid`),
    );
    assert.match(error?.hint ?? "", /allowed at the proxy, or add it to NO_PROXY/);
    assert.doesNotMatch(`${error?.message} ${error?.hint}`, /pr0xy-pw/);
    assert.ok(!mayHaveStarted(error));
  }
  {
    await using proxy = startProxy("407 Proxy Authentication Required");
    const { error, pauses } = await reachOver(proxy.host, url, { https_proxy: proxy.host });
    assert.deepEqual([error?.code, error?.exitCode, pauses], ["PROXY_REFUSED", 4, 0]);
    assert.match(error?.message ?? "", /\(https_proxy\) asks for a user and a password/);
    const hint = error?.hint ?? "";
    assert.match(hint, /USER:PASSWORD@/);
    assert.equal(cleanLine(hint), hint, "nothing of the advice is blanked out");
    // Without a tunnel the proxy answers in the server's place.
    const plain = await reachOver(proxy.host, "http://huggingface.invalid/", { HTTP_PROXY: proxy.host });
    assert.deepEqual([plain.error?.code, plain.pauses], ["PROXY_REFUSED", 0]);
    assert.match(plain.error?.message ?? "", /the proxy .* \(HTTP_PROXY\) asks for a user and a password/);
    assert.equal(cleanLine(plain.error?.hint ?? ""), plain.error?.hint);
  }
  const host = "127.0.0.1:2";
  const { error } = await reachOver(host, url, { ALL_PROXY: `http://${host}` });
  assert.ok(error instanceof TransientError);
  assert.match(
    error.message,
    new RegExp(`the proxy ${host} \\(ALL_PROXY\\) did not answer \\(Connection refused`),
  );
});

Deno.test("a web page with status 403 from a proxy is not reported as a refused token", async () => {
  const options = { hostname: "127.0.0.1", port: 0, onListen: () => {} };
  let type = "text/html";
  await using server = Deno.serve(
    options,
    () => new Response("<html>no", { status: 403, headers: { "content-type": type } }),
  );
  const url = `http://127.0.0.1:${server.addr.port}/`;
  const over = { url, processEnv: { HTTP_PROXY: "http://me:pr0xy-pw@proxy.example:3128" } };
  const { error, pauses } = await reach(over);
  assert.deepEqual([error?.code, error?.exitCode, pauses], ["PROXY_REFUSED", 4, 0]);
  assert.match(
    error?.message ?? "",
    /^Cannot read the models: the proxy proxy\.example:3128 \(HTTP_PROXY\) or 127\.0\.0\.1:\d+ behind it answered 403 with a web page$/,
  );
  assert.ok(!mayHaveStarted(error));
  type = "application/json";
  assert.equal((await reach(over)).error?.code, "HTTP_403");
  type = "text/html";
  assert.equal((await reach({ url })).error?.code, "HTTP_403");
});

Deno.test("https to a plain http server fails at once with a clear message", async () => {
  await using server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    () => new Response(),
  );
  const { error, pauses } = await reach({ url: `https://127.0.0.1:${server.addr.port}/` });
  assert.deepEqual([error?.code, error?.exitCode, pauses], ["TLS_MISSING", 4, 0]);
  assert.match(error?.message ?? "", /: 127\.0\.0\.1:\d+ does not speak https$/);
});

Deno.test("without a proxy, or around it, the server itself is named", async () => {
  const url = "https://127.0.0.1:2/";
  for (const NO_PROXY of ["127.0.0.1", "*", "corp.example, 127.0.0.0/8"]) {
    const { error } = await reach({
      url,
      processEnv: { HTTPS_PROXY: "http://proxy.example:3128", NO_PROXY },
    });
    assert.match(error?.message ?? "", /: 127\.0\.0\.1:\d+ did not answer/);
  }
});
