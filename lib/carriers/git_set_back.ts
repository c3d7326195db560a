import { RefusedError } from "../core/errors.ts";
import type { ObjectId } from "../git/object_id.ts";
import type { Registry } from "../git/registry.ts";

/** Returns the action of a look-up, for errors. */
export function lookUpOf(branch: string): string {
  return `look up the newest release on ${branch}`;
}

/** Returns the refusal of a remote that was set back. @param action completes "Cannot …" */
export function setBack(action: string, ours: ObjectId, tip: ObjectId): RefusedError {
  return new RefusedError(
    `Cannot ${action}: the remote was set back to ${tip.slice(0, 12)}, before ${
      ours.slice(0, 12)
    } that was pulled`,
    { code: "DOWNGRADE", hint: "if the downgrade is intended, run model-sync pull --allow-downgrade" },
  );
}

/** As {@link setBack}, at a publisher. Its clone is also ahead after a publish that was killed before its push. */
export function behindPublisher(registry: Registry, ours: ObjectId, tip: ObjectId): RefusedError {
  return new RefusedError(
    `Cannot ${lookUpOf(registry.settings.branch)}: ${registry.remoteBranch} is at ${
      tip.slice(0, 12)
    }, before ${ours.slice(0, 12)} in the clone of this publisher`,
    {
      code: "DOWNGRADE",
      hint:
        "the next model-sync publish pushes the newer commits; to take back a release, run model-sync withdraw",
    },
  );
}
