// deno-fmt-ignore-file
// Written by: deno task build-reference
import type { GENERAL } from "./general.ts";
import type { ModelSync } from "./schema.ts";

/** The sections that only some configurations have. */
export type Sections = Pick<ModelSync, Exclude<keyof ModelSync, keyof typeof GENERAL>>;

/** The defaults of each section of the configuration, as its schema gives them. A test compares both. */
export const SECTION_DEFAULTS: Sections = {
  activation: {"mode":"auto","validate":{"enabled":true,"required_files":[],"onnx":{"sanity_vectors":200,"max_total_variation":0.2,"max_kl_divergence":0.25,"timeout_seconds":60,"structure_only":[],"expect":[]},"safetensors":{"shape_drift":"warn"},"gguf":{"shape_drift":"warn"},"pickle":{"policy":"check","allow":[]},"validate_timeout_seconds":300},"reload":[],"canary":{"duration_minutes":0,"interval_seconds":60,"failure_limit":2,"no_data":"pause","nan":"rollback","metrics":[]},"keep":5},
  runpod: {"enabled":true,"api_key_env":"RUNPOD_API_KEY","trigger_method":"POST","trigger_payload":{},"headers":{},"request_timeout_sec":20,"poll_interval_sec":10,"job_timeout_sec":3600,"download_timeout_sec":300,"extract_subdir":"models"},
  runpod_client: {"schedule":"03:00","splay":"0s","catch_up":true,"deny":[]},
  artifacts: {"branch":"main","artifact":"*model*,*onnx*","conclusion":"success","token_env":"GITHUB_TOKEN","interval_minutes":15,"splay":"0s","catch_up":true,"deny":[],"min_interval_minutes":5,"download_timeout_sec":3600},
  huggingface: {"revision":"main","token_env":"HF_TOKEN","private":false,"path_in_repo":"","include":[],"exclude":[],"delete_removed":false,"transfer_timeout_sec":14400},
  huggingface_client: {"schedule":"06:00","splay":"0s","catch_up":true,"deny":[]},
  redeploy: {"hooks":[],"wait_timeout_sec":900,"poll_interval_sec":10,"request_timeout_sec":30},
  references: {"schedule":"0 * * * *","splay":"0s","catch_up":true,"deny":[],"primary_timeout_sec":30,"categories":[],"dry_run":false,"no_pr":false,"min_changes_threshold":1,"max_shrink":0.5,"force":false,"canonical_format":false,"verbose":false,"pr":{"style":"fixed","branch":"model-sync/references","labels":["automated","sync","ready-for-review"],"reviewers":[]},"watch":{"enabled":false,"interval_sec":60,"initial_delay_sec":0,"startup_sync":false},"image_repository":{"owner":"Haidra-Org","name":"AI-Horde-image-model-reference","branch":"main"},"text_repository":{"owner":"Haidra-Org","name":"AI-Horde-text-model-reference","branch":"main"}},
  alerts: {"on":["activated","failed","refused","rolled-back","recovered"],"email":{"port":587},"webhook":{"secret_env":"ALERTS_SECRET"},"chat":[]},
  report: {"token_env":"MODEL_SYNC_REPORT_TOKEN","interval_seconds":60,"ping":{"style":"healthchecks"}},
  signing: {"public_keys":[],"required":false},
  archives: {"max_download_bytes":68719476736,"max_bytes":68719476736,"max_entries":200000,"max_ratio":200,"max_depth":32},
};
