import { RUNPOD_OPTIONS } from "./_options.ts";
import type { Role } from "../lib/config/roles.ts";
import { runArtifactPull } from "./artifact_pull.ts";
import { runHfPull } from "./hf_pull.ts";
import { type PublishFlags, runPublish } from "./publish.ts";
import { type PullFlags, runPull } from "./pull.ts";
import { runReferencesSync } from "./references_sync.ts";
import { runRunPodPull } from "./runpod_pull.ts";
import type { Flags } from "./_declaration.ts";
import type { Need, Session } from "./_session.ts";

/** The options of a daemon that its roles' commands have, too. */
export type RoleFlags = PublishFlags & PullFlags & Flags<typeof RUNPOD_OPTIONS>;

/** How a command runs for a daemon. */
interface RoleJob {
  /** What it needs besides what is configured around it. */
  readonly needs: readonly Need[];
  readonly run: (session: Session, flags: RoleFlags) => Promise<void>;
}

export const ROLE_JOBS: Readonly<Record<Role, RoleJob>> = {
  publisher: { needs: ["run"], run: runPublish },
  client: { needs: ["run"], run: runPull },
  runpod_client: { needs: ["net"], run: runRunPodPull },
  artifact_client: {
    needs: ["net"],
    // Its options are the configuration's: the daemon's --branch belongs to the git roles.
    run: (session, { allowDowngrade = false }) => runArtifactPull(session, { allowDowngrade }),
  },
  huggingface_client: {
    needs: ["net"],
    run: (session, { allowDowngrade = false, acceptOtherWriters = false }) =>
      runHfPull(session, { allowDowngrade, acceptOtherWriters }),
  },
  references: { needs: ["net", "run"], run: runReferencesSync },
};
