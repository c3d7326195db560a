import * as z from "zod";
import { UsageError } from "../core/errors.ts";
import { PresignedTarget as Presigned, type UploadArchive, uploadPresigned } from "./upload_archive.ts";
import type { TrainingOptions } from "./train.ts";

/** `BTC/USDC`, `BTC/USDC:USDC`, `EURUSD.x`: a text that a command cannot mistake for an option or a path. */
const MarketSymbol = z.string().regex(
  /^[A-Za-z0-9][A-Za-z0-9._:/-]{0,63}$/,
  "is not a symbol such as BTC/USDC",
)
  .refine((symbol) => !symbol.includes(".."), "is not a symbol such as BTC/USDC");

/** More symbols than any exchange lists. */
const SYMBOLS_MAX = 10_000;

/**
 * The parts of a job's input that count: training options, and the target of the archive. All others are ignored, such
 * as the prompt in the original's example. Nothing in the input is executed.
 */
const JobInput = z.object({
  symbols: z.array(MarketSymbol).max(SYMBOLS_MAX).optional(),
  paper: z.boolean().optional(),
  train_missing_only: z.boolean().default(false),
  train_all: z.boolean().default(false),
  max_model_age_hours: z.number().min(0).max(1_000_000).optional(),
  ...Presigned.partial().shape,
  /** Instead of signed addresses: a repository on the Hugging Face hub. */
  hf_repo_id: z.string().regex(/^[\w.-]+\/[\w.-]+$/, "must be owner/name").optional(),
}).refine(({ train_all, train_missing_only }) => !(train_all && train_missing_only), {
  error: "train_all and train_missing_only exclude each other",
}).refine(({ upload_url, download_url }) => (upload_url === undefined) === (download_url === undefined), {
  error: "upload_url and download_url belong together",
});

/** A parsed training job. */
export interface TrainJob {
  readonly options: TrainingOptions;
  readonly upload: UploadArchive;
}

export interface TrainJobDefaults {
  /** The training options for those that the input leaves out. */
  readonly options: TrainingOptions;
  /** The upload for a job without a target. */
  readonly upload: UploadArchive | undefined;
  /** Returns the upload to a repository on the hub. @throws {UsageError} if the hub is not configured */
  readonly uploadToHub: (repoId: string) => UploadArchive;
}

/**
 * Returns the training job that an input describes.
 *
 * @throws {UsageError} `JOB_INPUT_INVALID`, `UPLOAD_TARGET_MISSING`
 */
export function readTrainJob(input: unknown, defaults: TrainJobDefaults): TrainJob {
  const result = JobInput.safeParse(input);
  if (!result.success) {
    const [issue] = result.error.issues;
    const problem = issue === undefined
      ? ""
      : [issue.path.join("."), issue.message].filter(Boolean).join(": ");
    throw new UsageError(`Cannot train with the job's input: ${problem}`, { code: "JOB_INPUT_INVALID" });
  }
  const { symbols, paper, train_all, train_missing_only, max_model_age_hours } = result.data;
  const upload = uploadOf(result.data, defaults);
  if (upload === undefined) {
    throw new UsageError("Cannot train: the job has no target for the archive", {
      code: "UPLOAD_TARGET_MISSING",
      hint:
        "give upload_url and download_url in its input, two signed addresses for PUT and for GET; or hf_repo_id, " +
        "or set model_sync.huggingface.repo_id for the worker",
    });
  }
  return {
    options: {
      symbols: symbols ?? defaults.options.symbols,
      paper: paper ?? defaults.options.paper,
      scope: train_all ? "all" : train_missing_only ? "missing-only" : defaults.options.scope,
      maxModelAgeHours: max_model_age_hours ?? defaults.options.maxModelAgeHours,
    },
    upload,
  };
}

function uploadOf(input: z.infer<typeof JobInput>, defaults: TrainJobDefaults): UploadArchive | undefined {
  const { upload_url, download_url, upload_headers = {}, hf_repo_id } = input;
  if (upload_url !== undefined && download_url !== undefined) {
    return uploadPresigned({ upload_url, download_url, upload_headers });
  }
  return hf_repo_id === undefined ? defaults.upload : defaults.uploadToHub(hf_repo_id);
}
