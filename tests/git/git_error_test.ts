import assert from "node:assert/strict";
import { gitError } from "../../lib/git/git_error.ts";

Deno.test("gitError() names the files that a merge or a checkout would overwrite", () => {
  const stderr = "error: Your local changes to the following files would be overwritten by merge:\n" +
    "\tmodels/a.onnx\n\tmodels/b.onnx\nPlease commit your changes or stash them before you merge.\nAborting\n";
  const error = gitError("move main to 1a2b3c", stderr);
  assert.equal(
    error.message,
    "Cannot move main to 1a2b3c: local changes to models/a.onnx, models/b.onnx would be overwritten",
  );
  assert.deepEqual([error.exitCode, error.code], [2, "WORKTREE_DIRTY"]);
});

Deno.test("gitError() distinguishes the cause: credentials, network, disk, lock, another git", () => {
  const cases = [
    ["fatal: Authentication failed for 'https://x/'", 3],
    ["fatal: unable to access 'https://x/': Could not resolve host: x", 4],
    ["error: file write error: No space left on device", 7],
    ["error: sha1 file write error. Out of diskspace", 7],
    ["fatal: Unable to create '/r/.git/index.lock': File exists.", 6],
    ["fatal: bad object HEAD", 1],
    ["git: 'remote-nohelper' is not a git command. See 'git --help'.", 2],
    ["fatal: Unable to find remote helper for 'nohelper'", 2],
    ["fatal: transport 'ftp' not allowed", 2],
  ] as const;
  for (const [stderr, exitCode] of cases) assert.equal(gitError("do it", stderr).exitCode, exitCode, stderr);
});

Deno.test("gitError() says that the answer is not a git server's", () => {
  const answers = [
    "fatal: https://x/m.git/info/refs not valid: is this a git repository?",
    "fatal: invalid server response; got '<html>'",
    "fatal: protocol error: bad line length character: <htm",
    "error: remote-curl: bad line length character: <htm",
  ];
  for (const stderr of answers) {
    const error = gitError("reach it", stderr);
    assert.deepEqual([error.code, error.exitCode], ["GIT_UNREACHABLE", 4], stderr);
    assert.match(error.hint ?? "", /not a git server's: check the remote's address/, stderr);
  }
});

Deno.test("gitError() names the proxy and the certificate that keep git from the remote", () => {
  const at = (address: string, words: string) => `fatal: unable to access '${address}': ${words}\n`;
  const proxy = [
    at("https://git.example/x.git/", "CONNECT tunnel failed, response 407"),
    at("https://git.example/x.git/", "Received HTTP code 403 from proxy after CONNECT"),
    at("https://git.example/x.git/", "Could not resolve proxy: proxy.example"),
    at(
      "https://me@git.example:8443/x.git/",
      "Failed to connect to proxy.example port 3128 after 0 ms: Couldn't connect to server",
    ),
    at(
      "https://git.example/x.git/",
      "Failed to connect to git.example port 443 via 127.0.0.1 after 0 ms: Could not connect to server",
    ),
  ];
  for (const stderr of proxy) {
    const error = gitError("reach it", stderr);
    assert.deepEqual([error.code, error.exitCode], ["GIT_UNREACHABLE", 4], stderr);
    assert.match(error.message, /\(at the proxy\)$/, stderr);
    assert.match(error.hint ?? "", /HTTPS_PROXY.*NO_PROXY/, stderr);
  }
  const direct = at(
    "https://me@git.example:8443/x.git/",
    "Failed to connect to git.example port 8443 after 1 ms",
  );
  assert.match(gitError("reach it", direct).hint ?? "", /^check the network/);
  const certificate = [
    "server certificate verification failed. CAfile: none CRLfile: none",
    "SSL certificate problem: self-signed certificate in certificate chain",
    "SSL certificate problem: unable to get local issuer certificate",
  ];
  for (const words of certificate) {
    const error = gitError("reach it", at("https://git.example/x.git/", words));
    assert.deepEqual([error.code, error.exitCode], ["GIT_UNREACHABLE", 4], words);
    assert.match(error.hint ?? "", /GIT_SSL_CAINFO or in git's http\.sslCAInfo/, words);
  }
});

Deno.test("gitError() keeps the line of ssh, a hook or git with the reason, and drops git's closing lines", () => {
  const unread = "fatal: Could not read from remote repository.\n\n" +
    "Please make sure you have the correct access rights\nand the repository exists.\n";
  const cases = [
    [
      `Warning: Permanently added 'h' (ED25519) to the list of known hosts.\ngit@h: Permission denied (publickey).\n${unread}`,
      3,
      "git@h: Permission denied (publickey).",
    ],
    [
      `ssh: connect to host h port 22: Connection refused\n${unread}`,
      4,
      "ssh: connect to host h port 22: Connection refused",
    ],
    [`ERROR: Repository not found.\n${unread}`, 4, "Repository not found."],
    [`the gateway is closed on Sundays\n${unread}`, 4, "the gateway is closed on Sundays"],
    [unread, 4, "Could not read from remote repository."],
    [
      "@@@@@\n@  WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED! @\n@@@@@\n" +
      `Offending key in /etc/ssh/ssh_known_hosts:1\nHost key verification failed.\n${unread}`,
      3,
      "Offending key in /etc/ssh/ssh_known_hosts:1; Host key verification failed.",
    ],
    ["no updates today\nfatal: ref updates aborted by hook\n", 1, "no updates today"],
    [
      "error: RPC failed; curl 56 GnuTLS recv error\nfetch-pack: unexpected disconnect\nfatal: early EOF\nfatal: index-pack failed\n",
      4,
      "RPC failed; curl 56 GnuTLS recv error",
    ],
    [
      "fatal: early EOF\nfatal: the remote end hung up unexpectedly\n",
      4,
      "early EOF; the remote end hung up unexpectedly",
    ],
    [
      "warning: redirecting to https://h/\nfatal: the remote end hung up unexpectedly\n",
      4,
      "the remote end hung up unexpectedly",
    ],
  ] as const;
  for (const [stderr, exitCode, reason] of cases) {
    const error = gitError("do it", stderr);
    assert.deepEqual([error.exitCode, error.message], [exitCode, `Cannot do it: ${reason}`]);
  }
});

Deno.test("gitError() of a name that is too long for the system asks for a shorter one", () => {
  for (const words of ["cannot stat 'x': File name too long", "cannot exec 'git': Argument list too long"]) {
    const error = gitError("do it", `fatal: ${words}\n`);
    assert.deepEqual([error.exitCode, error.code], [2, "GIT_NAME_TOO_LONG"], error.message);
  }
});

Deno.test("gitError() of a push that cannot be signed has exit code 1 and git's reason", () => {
  const cases = [
    "fatal: the receiving end does not support --signed push",
    "error: gpg failed to sign the data\nfatal: failed to sign the push certificate",
    "fatal: either user.signingkey or gpg.ssh.defaultKeyCommand needs to be configured",
  ];
  for (const words of cases) {
    const error = gitError("push", `${words}\nfatal: the remote end hung up unexpectedly\n`);
    assert.deepEqual([error.exitCode, error.code], [1, "GIT_SIGNING"], error.message);
    assert.equal(
      error.message,
      `Cannot push: ${words.replace(/(?:fatal|error): /g, "").replace("\n", "; ")}`,
    );
  }
});

Deno.test("gitError() recognizes a missing git-lfs in the words of every shell", () => {
  const cases = [
    "git: 'lfs' is not a git command. See 'git --help'.",
    "git-lfs filter-process: 1: git-lfs: not found\nfatal: the remote end hung up unexpectedly",
    "git-lfs filter-process: line 1: git-lfs: command not found\nfatal: the remote end hung up unexpectedly",
    "zsh:1: command not found: git-lfs\nerror: external filter 'git-lfs clean -- %f' failed 127",
    "error: external filter 'git-lfs smudge -- %f' failed 127\nfatal: a.onnx: smudge filter lfs failed",
  ];
  for (const stderr of cases) {
    const { code, exitCode, hint } = gitError("do it", stderr);
    assert.deepEqual([code, exitCode], ["LFS_MISSING", 2], stderr);
    assert.match(hint ?? "", /cron/);
  }
});

Deno.test("gitError() distinguishes an archived repository and a taken branch name from missing credentials", () => {
  const archived = gitError(
    "push",
    "remote: This repository was archived so it is read-only.\n" +
      "fatal: unable to access 'https://h/o/r.git/': The requested URL returned error: 403\n",
  );
  assert.deepEqual([archived.exitCode, archived.code], [1, "REPOSITORY_ARCHIVED"]);
  const taken = gitError(
    "push",
    "error: ! HEAD:refs/heads/sync/x [remote rejected] (cannot lock ref 'refs/heads/sync/x': " +
      "'refs/heads/sync' exists; cannot create 'refs/heads/sync/x')\n",
  );
  assert.deepEqual([taken.exitCode, taken.code], [1, "BRANCH_NAME_TAKEN"]);
});

Deno.test("gitError() of a bad setting outside the clone names its file and does not report a damaged clone", () => {
  const cases = [
    ["fatal: bad config line 1 in file /opt/u/.gitconfig", "fix this setting of git in /opt/u/.gitconfig"],
    [
      "error: invalid value for 'push.gpgsign'\n" +
      "fatal: bad config variable 'push.gpgsign' in file '/opt/u/.gitconfig' at line 5",
      "fix this setting of git in /opt/u/.gitconfig",
    ],
    [
      "/opt/u/.ssh/config: line 3: Bad configuration option: foo\n" +
      "/opt/u/.ssh/config: terminating, 1 bad configuration options\n" +
      "fatal: Could not read from remote repository.",
      "fix the configuration of ssh for this user",
    ],
    [
      "Bad owner or permissions on /opt/u/.ssh/config\nfatal: Could not read from remote repository.",
      "fix the configuration of ssh for this user",
    ],
  ] as const;
  for (const [stderr, hint] of cases) {
    const error = gitError("do it", stderr);
    assert.deepEqual([error.exitCode, error.code, error.hint], [2, "GIT_CONFIG", hint], error.message);
  }
  assert.equal(gitError("do it", "fatal: bad config line 1 in file .git/config").code, "GIT_DAMAGED");
});

Deno.test("gitError() of a declined push keeps the first and the last lines of the hook, or the reason in brackets", () => {
  const rejected = "error: 3cbf748b:refs/heads/main [remote rejected] (pre-receive hook declined)\n" +
    "error: failed to push some refs to '/r.git'\n";
  const lines = Array.from({ length: 200 }, (_, index) => `remote: line ${index + 1}\n`).join("");
  assert.equal(
    gitError("push", lines + rejected).message,
    "Cannot push: the remote rejects it: line 1; line 2; line 3; line 4; …; line 198; line 199; line 200",
  );
  assert.equal(
    gitError("push", rejected).message,
    "Cannot push: the remote rejects it: pre-receive hook declined",
  );
});

Deno.test("gitError() reads GitLab's frames, GitHub's SAML, rate limits, a missing ssh and git:// addresses", () => {
  const unread = "fatal: Could not read from remote repository.\n";
  const absent =
    "ERROR: The project you were looking for could not be found or you don't have permission to view it.";
  const cases = [
    [
      `remote: \nremote: ${"=".repeat(60)}\nremote: \nremote: ${absent}\n\nremote: \nremote: ${
        "=".repeat(60)
      }\n${unread}`,
      "GIT_REMOTE_MISSING",
      `remote: ${absent}`,
    ],
    [
      `ERROR: The 'acme' organization has enabled or enforced SAML SSO.\nTo access it, re-authorize the key.\n${unread}`,
      "GIT_AUTHENTICATION",
      "The 'acme' organization has enabled or enforced SAML SSO.",
    ],
    [
      "fatal: unable to access 'https://h/r/': The requested URL returned error: 429\n",
      "GIT_RATE_LIMITED",
      "unable to access 'https://h/r/': The requested URL returned error: 429",
    ],
    [
      `ssh -o BatchMode=yes: 1: ssh: not found\n${unread}`,
      "SSH_MISSING",
      "ssh -o BatchMode=yes: 1: ssh: not found",
    ],
    [
      "error: cannot run ssh: No such file or directory\nfatal: unable to fork\n",
      "SSH_MISSING",
      "cannot run ssh: No such file or directory",
    ],
    [
      "fatal: unable to connect to h:\nh[0: 127.0.0.1]: errno=Connection refused\n\n",
      "GIT_UNREACHABLE",
      "unable to connect to h: h[0: 127.0.0.1]: errno=Connection refused",
    ],
  ] as const;
  for (const [stderr, code, reason] of cases) {
    const error = gitError("do it", stderr);
    assert.deepEqual([error.code, error.message], [code, `Cannot do it: ${reason}`]);
  }
  assert.match(gitError("do it", cases[2][0]).hint ?? "", /run again later/);
});

Deno.test("gitError() of a crashed git-lfs leaves its stack trace out", () => {
  const { message } = gitError(
    "fetch",
    "panic: runtime error: index out of range [0] with length 0\n\ngoroutine 52 [running]:\n" +
      "github.com/git-lfs/git-lfs/tq.(*adapterBase).worker(0xc0000f0900, 0x0, {0x0, 0x0})\n" +
      "\tgithub.com/git-lfs/git-lfs/tq/adapterbase.go:183 +0x58b\n" +
      "created by github.com/git-lfs/git-lfs/tq.(*adapterBase).Begin\n" +
      "\tgithub.com/git-lfs/git-lfs/tq/adapterbase.go:96 +0x270\n" +
      "fatal: the remote end hung up unexpectedly\n",
  );
  assert.equal(message, "Cannot fetch: panic: runtime error: index out of range [0] with length 0");
});
