import { download } from "../../../lib/http/download.ts";
import { testContext } from "../../helpers/test_context.ts";

/** Downloads one address to a path and prints the digest. */
const [url = "", path = ""] = Deno.args;
const { sha256 } = await download(testContext(), {
  what: "the file",
  locate: () => Promise.resolve({ url, isSigned: false }),
  expected: {},
  limits: { stallMs: 30_000, totalMs: 600_000, bytesMax: Number.MAX_SAFE_INTEGER },
  path,
});
Deno.stdout.writeSync(new TextEncoder().encode(`${sha256}\n`));
