import { pullSmallFiles } from "./small_file_scenarios.ts";
import { createArchive, extractDeflated, extractStored, memoryOfExtraction } from "./archive_scenarios.ts";
import { artifactMemory, artifactUnchanged } from "./artifact_scenarios.ts";
import { demoTime, executableHelp, helpStart, rollbackTime, verifyDeep } from "./command_scenarios.ts";
import { daemonIdle } from "./daemon_scenarios.ts";
import { dashboardLoad } from "./dashboard_scenarios.ts";
import { chunkList, pullChangedParts } from "./delta_scenarios.ts";
import { downloadVerified } from "./download_scenarios.ts";
import { gitFleet, hubFleet, turnedAwayFleet } from "./fleet_scenarios.ts";
import { validateOnnx, validateSafetensors } from "./format_scenarios.ts";
import { hubPullLarge, hubPullSmall, hubPullUnchanged, hubUpload } from "./huggingface_scenarios.ts";
import { publishMany, publishNew, publishUnchanged } from "./publish_scenarios.ts";
import { archiveParts, lfsParts } from "./part_scenarios.ts";
import { firstClone, memoryOfPublishAndPull, pullOneChanged } from "./pull_scenarios.ts";
import { planReferences } from "./reference_scenarios.ts";
import { reportRuns } from "./report_scenarios.ts";
import {
  growthOfBytesInGit,
  growthOfBytesOnHub,
  growthOfFiles,
  growthOfNodes,
  growthOfReleases,
} from "./growth_scenarios.ts";
import { growth, type Scenario, scenario } from "./scenario.ts";
import { signAndVerify } from "./signing_scenarios.ts";
import { executableStatus, installedStart } from "./start_scenarios.ts";
import { validateRecognition, walkPickles } from "./validate_scenarios.ts";

/** Every scenario, in the order of the table. To add a scenario, add a line here: the test runs it as well. */
export const SCENARIOS: Readonly<Record<string, Scenario>> = {
  "help": scenario(helpStart),
  "executable-help": scenario(executableHelp, "executable"),
  "start": scenario(installedStart),
  "executable-start": scenario(executableStatus, "executable"),
  "demo": scenario(demoTime),
  "publish-new": scenario(publishNew),
  "publish-many": scenario(publishMany),
  "publish-unchanged": scenario(publishUnchanged),
  "pull-one-changed": scenario(pullOneChanged),
  "pull-first": scenario(firstClone),
  "pull-small": scenario(pullSmallFiles),
  "rollback": scenario(rollbackTime),
  "verify": scenario(verifyDeep),
  "memory": scenario(memoryOfPublishAndPull),
  "download": scenario(downloadVerified, "curl"),
  "archive-stored": scenario(extractStored, "zip", "unzip"),
  "archive-deflated": scenario(extractDeflated, "zip", "unzip"),
  "archive-create": scenario(createArchive, "zip"),
  "archive-memory": scenario(memoryOfExtraction),
  "hub-unchanged": scenario(hubPullUnchanged),
  "hub-pull-large": scenario(hubPullLarge, "curl"),
  "hub-pull-small": scenario(hubPullSmall, "curl"),
  "hub-upload": scenario(hubUpload),
  "hub-pull-parts": scenario(pullChangedParts, "rsync"),
  "archive-parts": scenario(archiveParts, "rsync", "curl", "unzip"),
  "lfs-parts": scenario(lfsParts, "rsync", "git-lfs"),
  "chunk-list": scenario(chunkList),
  "artifact-unchanged": scenario(artifactUnchanged),
  "artifact-memory": scenario(artifactMemory),
  "validate-safetensors": scenario(validateSafetensors),
  "validate-onnx": scenario(validateOnnx),
  "validate-recognition": scenario(validateRecognition),
  "sign": scenario(signAndVerify),
  "validate-pickle": scenario(walkPickles, "joblib"),
  "references": scenario(planReferences),
  "daemon-idle": scenario(daemonIdle, "linux"),
  "report": scenario(reportRuns),
  "fleet-git": scenario(gitFleet),
  "fleet-hub": scenario(hubFleet),
  "fleet-turned-away": scenario(turnedAwayFleet),
  "dashboard": scenario(dashboardLoad, "linux"),
  "growth-files": growth(growthOfFiles),
  "growth-bytes-git": growth(growthOfBytesInGit),
  "growth-bytes-hub": growth(growthOfBytesOnHub),
  "growth-releases": growth(growthOfReleases),
  "growth-nodes": growth(growthOfNodes, "linux"),
};
