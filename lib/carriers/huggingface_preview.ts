import type { Context } from "../core/context.ts";
import { Hub, PATIENT } from "../huggingface/hub.ts";
import { requireWriteToken } from "../huggingface/hub_settings.ts";
import { planUpload } from "../huggingface/upload_plan.ts";
import {
  findTarget,
  isThere,
  type MissingTarget,
  readTarget,
  targetSeal,
} from "../huggingface/upload_target.ts";
import type { ChangeList } from "../release/changes.ts";
import type { Digest } from "../release/manifest.ts";
import type { ModelSet } from "../release/model_set.ts";
import { isSameList, refuseWithdrawnModels } from "../release/withdrawals.ts";
import { isSealDue, ownWithdrawals } from "../signing/seal.ts";
import type { Store } from "../store/store.ts";
import { nextWithdrawals } from "../store/withdrawals.ts";
import type { HuggingFacePublisherOptions } from "./huggingface_publisher.ts";

/** The changes that an upload would make. */
export interface UploadPreview {
  readonly outcome: "published" | "unchanged";
  readonly release: Digest;
  readonly sequence: number;
  readonly changes: ChangeList;
  readonly repoId: string;
  readonly branch: string;
  /** The repository or branch that would be created first. */
  readonly missing: MissingTarget | undefined;
}

/** Returns what an upload would change, and throws what it would refuse. Nothing is written. */
export async function previewUpload(
  context: Context,
  options: Pick<HuggingFacePublisherOptions, "hub" | "rules" | "seal">,
  set: ModelSet,
  store?: Store,
): Promise<UploadPreview> {
  requireWriteToken(context.env, options.hub);
  const hub = new Hub(context, options.hub, PATIENT);
  const head = await findTarget(hub);
  const target = isThere(head) ? await readTarget(context, hub, head) : { files: [], manifest: undefined };
  const listed = target.manifest?.withdrawals ?? [];
  const sealed = await targetSeal(options.seal, target);
  const withdrawals = nextWithdrawals(store, ownWithdrawals(options.seal, sealed, target.manifest));
  refuseWithdrawnModels(withdrawals, set.digest, set.dir);
  const plan = await planUpload(context, target, set, options.rules, () => undefined);
  const before = target.manifest?.sequence ?? 0;
  const isDue = isSealDue(options.seal, sealed, context.clock.now());
  const isUnchanged = plan.isUnchanged && !isDue && isSameList(withdrawals, listed);
  return {
    outcome: isUnchanged ? "unchanged" : "published",
    release: set.digest,
    sequence: isUnchanged ? before : before + 1,
    changes: plan.changes,
    repoId: options.hub.repoId,
    branch: options.hub.revision,
    missing: isThere(head) ? undefined : head,
  };
}
