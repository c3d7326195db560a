import assert from "node:assert/strict";
import { join } from "node:path";
import { allCommands, allPrograms, COMMON, operandsMax } from "../../cli/_shells/command_facts.ts";
import { SHELLS } from "../../cli/_shells/shells.ts";
import { systemClock } from "../../lib/core/clock.ts";
import { learnWithdrawals } from "../../lib/store/withdrawals.ts";
import { openStore } from "../../lib/store/store.ts";
import { readPointer } from "../../lib/store/pointers.ts";
import { Digest, shortDigest } from "../../lib/release/manifest.ts";
import { needs } from "../helpers/installed.ts";
import { programOnPath } from "../helpers/program_on_path.ts";
import { runCli } from "../helpers/run_cli.ts";
import { run, runJson, world } from "../helpers/seed_world.ts";
import { listing, tempDir, writeFiles } from "../helpers/temp_dir.ts";
import { testContext } from "../helpers/test_context.ts";
import { GIT_ENV } from "../helpers/test_git.ts";

/** A folder for all tests of this file: its bot has two releases, and is the home of the shells. */
const DIR = tempDir();
globalThis.addEventListener("unload", () => DIR[Symbol.dispose]());

/** The bot's folder, the short digests of its releases, newest first, and a `PATH` with the program. */
const BOT = await openBot();

async function openBot() {
  const { trainer, bot } = world(DIR);
  const digests: string[] = [];
  for (const content of ["one", "two"]) {
    writeFiles(join(trainer, "models"), { "BTC_USDC/rf.bin": content });
    const { release } = await runJson(trainer, "publish", "--skip-training");
    digests.unshift(shortDigest(Digest.parse(release)));
    await runJson(bot, "pull");
  }
  writeFiles(bot, { "my keys/private.pem": "", "other.yaml": "" });
  return { bot, digests, path: programOnPath(DIR.path) };
}

/** The variables of a shell: with a home of its own, and Deno's cache of this machine. */
function shellEnv(home: string, path: string): Record<string, string> {
  const cache = Deno.env.get("DENO_DIR") ?? `${Deno.env.get("HOME")}/.cache/deno`;
  return { ...GIT_ENV, HOME: home, DENO_DIR: cache, PATH: path, TERM: "dumb" };
}

/** Runs a shell in a folder, with the program on its path. @returns what it prints */
function runShell(command: string, args: readonly string[], cwd: string, path: string): string {
  const { code, stdout, stderr } = new Deno.Command(command, {
    args: [...args],
    cwd,
    env: shellEnv(cwd, path),
    stdin: "null",
  }).outputSync();
  const decoder = new TextDecoder();
  assert.equal(code, 0, decoder.decode(stderr));
  return decoder.decode(stdout);
}

/** What is typed before the TAB, and the line after it: one word is left to complete. */
const COMPLETED: readonly (readonly [typed: string, line: string])[] = [
  ["ro", "rollback "],
  ["pull --dr", "pull --dry-run "],
  ["pull --log-format=j", "pull --log-format=json "],
  ["pull -o j", "pull -o json "],
  ["keys si", "keys sign "],
  ["keys sign mo", "keys sign models/"],
  ["help runp", "help runpod-pull "],
  ["pause client ru", "pause client runpod_client "],
  ["rollback --to=1", "rollback --to=1 "],
  ["completions f", "completions fish "],
];

/** What is typed, and all that may follow. */
function listed(
  digests: readonly string[],
): readonly (readonly [typed: string, values: readonly string[]])[] {
  const roles = [
    "publisher",
    "client",
    "runpod_client",
    "artifact_client",
    "huggingface_client",
    "references",
  ];
  return [
    ["", [...allPrograms().map(({ name }) => name), "help"]],
    ["keys ", ["generate", "sign", "verify"]],
    ["daemon --role ", roles],
    ["pause client --for 2h ", roles],
    ["rollback --to ", [...digests.slice(1), "1"]],
    ["rollback --config nowhere.yaml --to ", []],
    ["quarantine add --reason 'two words' ", [...digests, "2", "1"]],
    ["quarantine lift ", []],
    ["quarantine add x ", []],
    ["pull --branch ", []],
    ["config print ", []],
  ];
}

Deno.test({
  ...needs("bash completes commands, options, choices, paths and releases at the TAB key", "bash"),
  fn() {
    using dir = tempDir();
    const { bot, digests, path } = BOT;
    const rc = join(dir.path, "rc");
    // At the TAB, readline completes; with control and T, the shell reports the line. The list is that of COMPREPLY.
    Deno.writeTextFileSync(
      rc,
      `${SHELLS.bash()}
bind 'set bell-style none'; bind 'set enable-bracketed-paste off'
PS1=
report() { echo "= $READLINE_LINE"; READLINE_LINE=; READLINE_POINT=0; }
bind -x '"\\C-t": report'
list() {
  eval "COMP_WORDS=($1)"
  [[ $1 == *" " ]] && COMP_WORDS+=("")
  COMP_CWORD=$((\${#COMP_WORDS[@]} - 1)) COMPREPLY=()
  _model_sync
  echo "> \${COMPREPLY[*]}"
}
`,
    );
    const bashOnly: typeof COMPLETED = [
      ["keys sign my", "keys sign my\\ keys/"],
      ["keys sign --private-key my\\ keys/", "keys sign --private-key my\\ keys/private.pem "],
      ["pull --config=oth", "pull --config=other.yaml "],
      ["daemon --role client,pu", "daemon --role client,publisher "],
    ];
    const completed = [...COMPLETED, ...bashOnly];
    const lists = listed(digests);
    const options = allCommands().map(({ name }) => `${name} -`);
    const script = [
      ...completed.map(([typed]) => `model-sync ${typed}\t\x14`),
      ...[...lists.map(([typed]) => typed), ...options].map((typed) =>
        `list ${JSON.stringify(`model-sync ${typed}`)}\n`
      ),
      "exit\n",
    ].join("");
    writeFiles(dir.path, { script });
    const output = runShell(
      "bash",
      ["-c", `exec bash --rcfile "$1" -i < "$2" 2>/dev/null`, "bash", rc, join(dir.path, "script")],
      bot,
      path,
    );
    const lines = Array.from(output.matchAll(/^= model-sync (.*)$/gm), ([, line]) => line);
    assert.deepEqual(lines, completed.map(([, line]) => line));
    const answers = Array.from(
      output.matchAll(/^> (.*)$/gm),
      ([, list = ""]) => list.split(" ").filter(Boolean),
    );
    for (const [index, [typed, values]] of lists.entries()) {
      const expected = typed === "" ? [...values, "--help", "--version"] : values;
      assert.deepEqual(answers[index], expected, typed);
    }
    for (const [index, { name, options }] of allCommands().entries()) {
      const names = [...options, ...COMMON].map(({ name }) => name);
      assert.deepEqual(answers[lists.length + index], [...names, "--help"], name);
    }
  },
});

Deno.test({
  ...needs("fish completes commands, options, choices, paths and releases", "fish"),
  fn() {
    using dir = tempDir();
    const { bot, digests, path } = BOT;
    const completed = COMPLETED.map(([typed, line]) =>
      [typed, [line.split(" ").findLast(Boolean) ?? ""]] as const
    );
    const all = [
      ...completed,
      ["daemon --role client,pu", ["client,publisher"]] as const,
      ["rollback --to=" + digests[1]?.slice(0, 6), [`--to=${digests[1]}`]] as const,
      ...listed(digests),
    ];
    writeFiles(dir.path, {
      "completions.fish": SHELLS.fish(),
      lines: [...all.map(([typed]) => typed), ...allCommands().map(({ name }) => `${name} --`)].map((typed) =>
        `model-sync ${typed}\n`
      ).join(""),
    });
    const output = runShell(
      "fish",
      [
        "--no-config",
        "-c",
        `source $argv[1]; while read -l line; echo "> "(complete -C "$line" | string join " | "); end < $argv[2]`,
        join(dir.path, "completions.fish"),
        join(dir.path, "lines"),
      ],
      bot,
      path,
    );
    const answers = output.trimEnd().split("\n").map((line) =>
      line.slice("> ".length).split(" | ").filter(Boolean).map((item) => item.split("\t"))
    );
    for (const [index, [typed, values]] of all.entries()) {
      assert.deepEqual(new Set(answers[index]?.map(([value]) => value)), new Set(values), typed);
    }
    const added = answers[all.findIndex(([typed]) => typed === "quarantine add --reason 'two words' ")] ?? [];
    assert.match(added[0]?.[1] ?? "", /^sequence 2, (?:just now|.* ago), active$/);
    for (const [index, { name, options }] of allCommands().entries()) {
      const expected = [...options, ...COMMON].map(({ name, brief }) => `${name} ${brief}`);
      const answer = answers[all.length + index]?.map((item) => item.join(" "));
      assert.deepEqual(new Set(answer), new Set([...expected, "--help Show this help"]), name);
    }
  },
});

/** Records what zsh offers, and the line after the TAB. The completion needs a terminal, which zsh itself emulates. */
const ZSH_RECORDER = `PROMPT= RPROMPT=
autoload -Uz compinit; compinit -D -u
compadd() {
  local arg
  for arg; do
    case $arg in
      (-|--) break ;;
      (-[OAD]*) builtin compadd "$@"; return ;;
    esac
  done
  local -a found
  builtin compadd -O found "$@"
  print -r "> $found" >> $ANSWERS
  builtin compadd "$@"
}
record() { zle complete-word; print -r "= $BUFFER" >> $ANSWERS; BUFFER=; print -n $'\\C-a' }
zle -N record
bindkey '^T' record
`;

const ZSH_DRIVER = `zmodload zsh/zpty
zpty shell 'zsh -f -i'
zpty -w shell 'source $RECORDER; source $COMPLETIONS'
while IFS= read -r line; do
  zpty -w -n shell "$line"$'\\C-t'
  zpty -r shell shown $'*\\C-a*' || break
done < $LINES_FILE
zpty -d shell
`;

Deno.test({
  ...needs("zsh completes commands, options, choices, paths and releases at the TAB key", "zsh"),
  fn() {
    using dir = tempDir();
    const { bot, digests, path } = BOT;
    // After the name of an option with a value, zsh waits for the value at once; "$" and "-" are completed further.
    const completed: typeof COMPLETED = [
      ...COMPLETED,
      ["daemon --role client,pu", "daemon --role client,publisher,"],
      ["rollback --to " + digests[1]?.slice(0, 6), `rollback --to ${digests[1]} `],
    ];
    // Where no value is known, zsh shows the name of the value or the options.
    const lists = listed(digests).filter(([, values]) => values.length > 0);
    const options = ["pull --", "keys verify --"];
    const files = {
      recorder: ZSH_RECORDER,
      driver: ZSH_DRIVER,
      completions: SHELLS.zsh(),
      lines: [...completed, ...lists].map(([typed]) => `model-sync ${typed}\n`).join("") +
        options.map((typed) => `model-sync ${typed}\n`).join(""),
      answers: "",
    };
    writeFiles(dir.path, files);
    const { success, stderr } = new Deno.Command("zsh", {
      args: ["-f", join(dir.path, "driver")],
      cwd: bot,
      env: {
        ...shellEnv(bot, path),
        RECORDER: join(dir.path, "recorder"),
        COMPLETIONS: join(dir.path, "completions"),
        LINES_FILE: join(dir.path, "lines"),
        ANSWERS: join(dir.path, "answers"),
      },
      stdin: "null",
    }).outputSync();
    assert.ok(success, new TextDecoder().decode(stderr));
    const recorded = Deno.readTextFileSync(join(dir.path, "answers")).trimEnd().split(/^= model-sync /m);
    const lines = recorded.slice(1).map((part) => part.split("\n", 1).join());
    const offers = recorded.map((part) =>
      Array.from(part.matchAll(/^> (.*)$/gm), ([, words = ""]) => words.split(" ").filter(Boolean)).flat()
    );
    assert.deepEqual(lines.slice(0, completed.length), completed.map(([, line]) => line));
    for (const [index, [typed, values]] of lists.entries()) {
      assert.deepEqual(new Set(offers[completed.length + index]), new Set(values), typed);
    }
    for (const [index, typed] of options.entries()) {
      const command = allCommands().find(({ name }) => typed === `${name} --`);
      const names = [...command?.options ?? [], ...COMMON].map(({ name }) => name);
      assert.deepEqual(
        new Set(offers[completed.length + lists.length + index]),
        new Set([...names, "--help"]),
        typed,
      );
    }
  },
});

Deno.test("the script for PowerShell names every command, option and choice, and closes what it opens", () => {
  const script = SHELLS.powershell();
  const code = script.replaceAll(/^ *#.*$/gm, "").replaceAll(/'(?:[^']|'')*'/g, "''").replaceAll(
    /"[^"]*"/g,
    '""',
  );
  assert.doesNotMatch(code, /['"]{3}/);
  const open: string[] = [];
  for (const [bracket] of code.matchAll(/[(){}[\]]/g)) {
    if ("({[".includes(bracket)) open.push(bracket);
    else assert.equal(`${open.pop()}${bracket}`, { ")": "()", "}": "{}", "]": "[]" }[bracket]);
  }
  assert.deepEqual(open, []);
  for (const { name, options, operands } of allCommands()) {
    const [rows = "", values = ""] = Array.from(
      script.matchAll(new RegExp(`^        '${name}' = (?:\\[ordered\\])?@\\{\n([^]*?)^        \\}`, "gm")),
      ([, rows]) => rows,
    );
    for (const option of options) {
      assert.ok(rows.includes(`'${option.name}' = '${option.brief.replaceAll("'", "''")}'`), option.name);
      for (const choice of option.values.choices) assert.ok(values.includes(`'${choice}'`), choice);
    }
    if (operandsMax(operands) > 0) {
      assert.ok(values.includes("'operand' = ") || operands.values.completion === "folder");
    }
  }
});

Deno.test("a slow disk ends the list of releases after a second", async () => {
  const { bot, digests } = BOT;
  let now = 0;
  const clock = { ...systemClock, monotonicMs: () => now += 600 };
  const { stdout } = await runCli("__values", ["releases"], { cwd: bot, world: { clock } });
  const values = stdout.trimEnd().split("\n").map((line) => line.split("\t")[0] ?? "");
  assert.equal(values.length, 2, "the digest and the sequence number of one release");
  assert.ok(digests.includes(values[0] ?? ""), stdout);
});

Deno.test("completions names the shells that it knows", async () => {
  using dir = tempDir();
  const unknown = await run(dir.path, "completions", "zhs");
  assert.equal(unknown.code, 2);
  assert.match(
    unknown.stderr,
    /Cannot use the SHELL "zhs": it must be one of bash, zsh, .*; did you mean "zsh"\?/,
  );
  assert.match((await run(dir.path, "completions")).stderr, /SHELL is missing/);
  const { script, shell } = await runJson(dir.path, "completions", "fish");
  assert.deepEqual([script, shell], [SHELLS.fish(), "fish"]);
});

Deno.test("values of a machine are listed without a write, a program or the network, and without an error on any problem", async () => {
  const { bot, digests } = BOT;
  const before = listing(DIR.path);
  const givenUp = new Set<string>();
  const values = async (...args: string[]) => {
    const { code, stdout, stderr } = await runCli("__values", args, {
      cwd: bot,
      world: {
        permissions: { givenUp: new Set(), giveUp: (name) => void givenUp.add(name) },
        http: () => Promise.reject(new Error("the network is not needed")),
        spawn: () => {
          throw new Error("no program is needed");
        },
      },
    });
    assert.deepEqual([code, stderr], [0, ""], args.join(" "));
    return stdout.split("\n").filter(Boolean).map((line) => line.split("\t")[0]);
  };
  assert.deepEqual(await values("releases", "withdraw"), [...digests, "2", "1"]);
  assert.deepEqual(
    await values("releases", "quarantine", "add", "--reason", "it's", "--models-dir", "="),
    [...digests, "2", "1"],
  );
  assert.deepEqual(await values("releases", "rollback", "--config", "=", '"other.yaml"'), [
    ...digests,
    "2",
    "1",
  ]);
  for (const config of ["nowhere.yaml", "models", "my keys/private.pem/x"]) {
    assert.deepEqual(await values("releases", "rollback", `--config=${config}`), [], config);
  }
  assert.deepEqual((await values("compared", "diff", "")).slice(0, 4), [
    "active",
    "previous",
    "remote",
    digests[0],
  ]);
  assert.deepEqual(await values("nonsense"), []);
  assert.deepEqual(await values(), []);
  assert.deepEqual([...givenUp].sort(), ["env", "net", "run", "write"]);
  assert.deepEqual(listing(DIR.path), before);

  await run(bot, "quarantine", "add", digests[1] ?? "", "--reason", "tabs\tand\nlines");
  const { stdout } = await runCli("__values", ["quarantined"], { cwd: bot });
  assert.match(stdout, new RegExp(`^${digests[1]}\t[^\t\n]*tabs[^\t\n]*lines\n$`));

  // A rollback lifts a quarantine, and refuses a withdrawn release.
  assert.deepEqual(await values("replacements", "rollback", "--to"), [digests[1], "1"]);
  const store = openStore(Deno, { modelsDir: join(bot, "models") }, testContext().log);
  const digest = readPointer(store, "previous");
  assert.ok(digest !== undefined);
  learnWithdrawals(store, [{ digest, state: "withdrawn", at: "2026-11-21T00:00:00Z" }]);
  assert.deepEqual(await values("replacements", "rollback", "--to"), []);
});
