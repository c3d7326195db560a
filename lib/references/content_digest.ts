import { createHash } from "node:crypto";
import { compareUtf8 } from "../core/portable_path.ts";
import type { CategoryPlan, FileFormat } from "./plan.ts";
import { isJsonArray, isJsonObject, type JsonValue } from "./json/json_value.ts";
import { renderInline } from "./json/render_json.ts";

/**
 * Returns a digest of a proposal's changes. Equal data gives an equal digest, whatever the order of keys. The base
 * branch does not matter, so a proposal is recognized after other merges.
 *
 * @returns `sha256:` and 64 hexadecimal digits
 */
export function contentDigest(plans: readonly CategoryPlan[], format: FileFormat): string {
  const hash = createHash("sha256");
  hash.update(`${format}\n`);
  for (const { category, changes } of plans) {
    for (const change of changes) {
      const after = change.kind === "removed" ? "" : renderInline(normalized(change.after));
      hash.update(`${category} ${change.kind} ${renderInline(change.name)} ${after}\n`);
    }
  }
  return `sha256:${hash.digest("hex")}`;
}

/** Returns a value with sorted keys, and with whole floats as integers. */
function normalized(value: JsonValue): JsonValue {
  if (isJsonObject(value)) {
    return new Map(
      [...value].sort(([a], [b]) => compareUtf8(a, b)).map(([key, member]) => [key, normalized(member)]),
    );
  }
  if (isJsonArray(value)) return value.map(normalized);
  return typeof value === "number" && Number.isInteger(value) ? BigInt(value) : value;
}
