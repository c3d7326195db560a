import { Reload, type ReloadHook } from "../../lib/config/sections/reload.ts";
import type { ReloadNotification } from "../../lib/reload/reload_notification.ts";
import { QuickClock } from "./fake_clock.ts";
import { type TempDir, tempDir, writeFiles } from "./temp_dir.ts";
import { fixedEnvironment, testContext } from "./test_context.ts";

export const NEW_DIGEST = `sha256:${"0123456789abcdef".repeat(4)}` as const;
export const OLD_DIGEST = `sha256:${"fedcba9876543210".repeat(4)}` as const;

/** Returns a context whose clock skips pauses between attempts, but not time limits. */
export function reloadContext(variables: Readonly<Record<string, string>> = {}) {
  const clock = new QuickClock("2026-11-21T06:00:00Z", 5_000);
  return { ...testContext({ clock, env: fixedEnvironment(variables) }), clock };
}

/** Parses hooks as in the configuration file. */
export function hooks(...written: object[]): ReloadHook[] {
  return Reload.parse(written);
}

/** Creates a release of these files, in a folder that is removed at the end of the block. */
export function releaseOf(
  files: Readonly<Record<string, string>>,
): TempDir & { readonly news: ReloadNotification } {
  const dir = tempDir();
  const releaseDir = `${dir.path}/release`;
  writeFiles(releaseDir, files);
  for (const path of Object.keys(files)) Deno.chmodSync(`${releaseDir}/${path}`, 0o444);
  Deno.symlinkSync("release", `${dir.path}/models`);
  const news: ReloadNotification = {
    event: "activated",
    digest: NEW_DIGEST,
    previous: OLD_DIGEST,
    sequence: 7,
    modelsDir: `${dir.path}/models`,
    releaseDir,
    files: Object.entries(files).map(([path, content]) => ({ path, size: content.length })),
    changes: { added: ["new.onnx"], modified: ["btc/model.onnx"], removed: ["old/model.onnx"] },
    runId: "20261121T060000Z-abc123",
  };
  return { ...dir, news, [Symbol.dispose]: () => dir[Symbol.dispose]() };
}
