import assert from "node:assert/strict";
import * as z from "zod";
import { copyPackages } from "../../configs/install/copy_packages.ts";
import { bytesIn } from "../helpers/bytes_in.ts";
import { KNOWS_FOLDERS, USER_PACKAGES } from "../helpers/user_packages.ts";
import { PROJECT } from "../helpers/run_cli.ts";
import { tempDir } from "../helpers/temp_dir.ts";

/** All that a `status` loads without a store. */
const PACKAGES = ["argparse", "croner", "fastest-levenshtein", "js-yaml", "zod"];

Deno.test({
  name: "a status in an empty DENO_DIR fetches five packages, and fills less than 30 MB",
  ignore: !KNOWS_FOLDERS,
  async fn() {
    using dir = tempDir();
    const { npmCache } = z.object({ npmCache: z.string() }).parse(JSON.parse(await denoInfo()));
    const needed = USER_PACKAGES.filter(({ name }) => PACKAGES.includes(name));
    await copyPackages(needed, npmCache, dir.path);
    // With no network, any other package would be an error.
    const { code, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "-q", "--no-prompt", "-P=status", "cli/status.ts"],
      cwd: PROJECT,
      env: { DENO_DIR: dir.path, HTTPS_PROXY: "http://127.0.0.1:9", HTTP_PROXY: "http://127.0.0.1:9" },
      stdin: "null",
    }).output();
    assert.equal(code, 0, new TextDecoder().decode(stderr));
    const bytes = bytesIn(dir.path);
    assert.ok(bytes < 30_000_000, `${bytes} bytes`);
  },
});

async function denoInfo(): Promise<string> {
  const { stdout } = await new Deno.Command(Deno.execPath(), { args: ["info", "--json"], stdin: "null" })
    .output();
  return new TextDecoder().decode(stdout);
}
