import { expandHome } from "../lib/core/home_folder.ts";
import { signFolder, verifyFolder } from "../lib/signing/folder_signature.ts";
import { generateKeyFiles, readPrivateKeyFile, readPublicKeyFile } from "../lib/signing/key_files.ts";
import { plural } from "../lib/core/format.ts";
import { type Options, requiredFile } from "./_declaration.ts";
import { NO_OPERANDS, oneFolder } from "./_arguments.ts";
import { type CommandFlags, main, plainCommand, type Program } from "./_command.ts";
import { narrowToReading, type PlainSession } from "./_session.ts";

const FOLDER = oneFolder("FOLDER", "Folder whose files are signed");

const SIGNATURE = requiredFile({
  group: "Options",
  brief: "Signature file",
  note: "such as model.sig",
});

const GENERATE_OPTIONS = {
  privateKey: requiredFile({
    group: "Options",
    brief: "Path of the new private key",
    note: "PEM, mode 0600",
  }),
  publicKey: requiredFile({
    group: "Options",
    brief: "Path of the new public key",
    note: "PEM",
  }),
} satisfies Options;

const SIGN_OPTIONS = {
  privateKey: requiredFile({ group: "Options", brief: "Private key" }),
  signature: SIGNATURE,
} satisfies Options;

const VERIFY_OPTIONS = {
  publicKey: {
    ...requiredFile({ group: "Options", brief: "Trusted public key" }),
    repeatable: true,
  },
  signature: SIGNATURE,
} satisfies Options;

type GenerateFlags = CommandFlags<typeof GENERATE_OPTIONS>;
type SignFlags = CommandFlags<typeof SIGN_OPTIONS>;
type VerifyFlags = CommandFlags<typeof VERIFY_OPTIONS>;

export const program: Program = {
  name: "keys",
  commands: {
    generate: plainCommand({
      summary: "Create a pair of keys; existing files are never overwritten",
      options: GENERATE_OPTIONS,
      operands: NO_OPERANDS,
      examples: [
        [
          "Create the keys of a publisher",
          "model-sync keys generate --private-key keys/private.pem --public-key keys/public.pem",
        ],
      ],
      run: generate,
    }),
    sign: plainCommand({
      summary: "Sign every file of a folder, as model_signing sign key does",
      options: SIGN_OPTIONS,
      operands: FOLDER,
      examples: [
        [
          "Sign the models",
          "model-sync keys sign models --private-key keys/private.pem --signature model.sig",
        ],
      ],
      run: sign,
    }),
    verify: plainCommand({
      summary: "Verify a folder's signature, as model_signing verify key does",
      options: VERIFY_OPTIONS,
      operands: FOLDER,
      examples: [
        [
          "Verify the models against two trusted keys",
          "model-sync keys verify models --signature model.sig --public-key new.pem --public-key old.pem",
        ],
      ],
      run: verify,
    }),
  },
};

function generate({ context, output }: PlainSession, flags: GenerateFlags): Promise<void> {
  const privateKey = expandHome(flags.privateKey, context.env);
  const publicKey = expandHome(flags.publicKey, context.env);
  const keyHint = generateKeyFiles(context.fs, privateKey, publicKey);
  output.result({ privateKey, publicKey, keyHint }, () => [
    `${output.paint("green", "✓")} wrote ${privateKey}, which stays on the publisher, and ${publicKey}`,
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

async function verify(session: PlainSession, flags: VerifyFlags, folder: string): Promise<void> {
  const { context, output } = session;
  narrowToReading(session);
  const keys = flags.publicKey.map((source) => ({
    ...readPublicKeyFile(context.fs, expandHome(source, context.env)),
    source,
  }));
  const { signature } = flags;
  const { files, keyHint } = await verifyFolder(context, keys, folder, signature);
  const signer = keys.find(({ hint }) => hint === keyHint)?.source;
  output.result({ verified: true, folder, signature, files, keyHint }, () => [
    `${output.paint("green", "✓")} the signature of ${folder} by ${signer} is valid: ${
      plural(files, "file")
    }, every byte read`,
  ]);
}

if (import.meta.main) await main(program);
