import { buildCommand, buildRouteMap } from "@stricli/core";
import { expandHome } from "../lib/core/home_folder.ts";
import { signFolder, verifyFolder } from "../lib/signing/folder_signature.ts";
import { generateKeyFiles, readPrivateKeyFile, readPublicKeyFile } from "../lib/signing/key_files.ts";
import { defineGroup, type Invocation, main, type Program, withPlainSession } from "./_command.ts";
import { COMMON_ALIASES, COMMON_FLAGS, type CommonFlags } from "./_options.ts";
import type { PlainSession } from "./_session.ts";
import { plural } from "../lib/core/format.ts";
import { SUMMARIES } from "./_help.ts";

interface GenerateFlags extends CommonFlags {
  readonly privateKey: string;
  readonly publicKey: string;
}

interface SignFlags extends CommonFlags {
  readonly privateKey: string;
  readonly signature: string;
}

interface VerifyFlags extends CommonFlags {
  readonly publicKey: readonly string[];
  readonly signature: string;
}

const FOLDER = {
  kind: "tuple",
  parameters: [{ parse: String, brief: "the folder whose files are signed", placeholder: "folder" }],
} as const;

/** An option that has to be given. */
function requiredFlag(brief: string) {
  return { kind: "parsed", parse: String, brief } as const;
}

const SIGNATURE = requiredFlag("the signature file, such as model.sig");

export const program: Program = defineGroup(
  "keys",
  buildRouteMap({
    docs: { brief: SUMMARIES.keys },
    routes: {
      generate: buildCommand<GenerateFlags, [], Invocation>({
        docs: { brief: "Create a pair of keys; existing files are never overwritten" },
        parameters: {
          flags: {
            ...COMMON_FLAGS,
            privateKey: requiredFlag("path of the new private key (PEM, mode 0600)"),
            publicKey: requiredFlag("path of the new public key (PEM)"),
          },
          aliases: COMMON_ALIASES,
        },
        func: withPlainSession(generate),
      }),
      sign: buildCommand<SignFlags, [string], Invocation>({
        docs: { brief: "Sign every file of a folder, as model_signing sign key does" },
        parameters: {
          flags: { ...COMMON_FLAGS, privateKey: requiredFlag("the private key"), signature: SIGNATURE },
          aliases: COMMON_ALIASES,
          positional: FOLDER,
        },
        func: withPlainSession(sign),
      }),
      verify: buildCommand<VerifyFlags, [string], Invocation>({
        docs: { brief: "Verify a folder's signature, as model_signing verify key does" },
        parameters: {
          flags: {
            ...COMMON_FLAGS,
            publicKey: {
              kind: "parsed",
              parse: String,
              variadic: true,
              brief: "a trusted key; may be repeated",
            },
            signature: SIGNATURE,
          },
          aliases: COMMON_ALIASES,
          positional: FOLDER,
        },
        func: withPlainSession(verify),
      }),
    },
  }),
);

function generate({ context, output }: PlainSession, flags: GenerateFlags): Promise<void> {
  const privateKey = expandHome(flags.privateKey, context.env);
  const publicKey = expandHome(flags.publicKey, context.env);
  const keyHint = generateKeyFiles(context.fs, privateKey, publicKey);
  output.result({ privateKey, publicKey, keyHint }, () => [
    `${output.paint("green", "✓")} wrote ${privateKey}, which stays on the publishing side, and ${publicKey}`,
    `  publishers: model_sync.signing.private_key: ${privateKey}`,
    `  clients:    model_sync.signing.public_keys: [${publicKey}]`,
  ]);
  return Promise.resolve();
}

async function sign({ context, output }: PlainSession, flags: SignFlags, folder: string): Promise<void> {
  const key = readPrivateKeyFile(context.fs, expandHome(flags.privateKey, context.env));
  const { signature } = flags;
  const { files, keyHint } = await signFolder(context, key, folder, signature);
  output.result({ signed: true, folder, signature, files, keyHint }, () => [
    `${output.paint("green", "✓")} signed ${plural(files, "file")} of ${folder} into ${signature}`,
  ]);
}

async function verify({ context, output }: PlainSession, flags: VerifyFlags, folder: string): Promise<void> {
  const keys = flags.publicKey.map((source) => ({
    ...readPublicKeyFile(context.fs, expandHome(source, context.env)),
    source,
  }));
  const { signature } = flags;
  const { files, keyHint } = await verifyFolder(context, keys, folder, signature);
  const signer = keys.find(({ hint }) => hint === keyHint)?.source;
  output.result({ verified: true, folder, signature, files, keyHint }, () => [
    `${output.paint("green", "✓")} ${folder} is as it was signed by ${signer}: ${
      plural(files, "file")
    }, every byte read`,
  ]);
}

if (import.meta.main) await main(program);
