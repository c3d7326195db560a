import type { ComponentChildren } from "preact";
import { NODE_NAME_CHARS_MAX } from "../access/node_name.ts";
import { PASSWORD_CHARS_MAX, PASSWORD_CHARS_MIN } from "../access/password_hash.ts";
import { HASH_VARIABLE } from "../access/password_source.ts";
import { PURPOSE_CHARS_MAX } from "../access/tokens.ts";
import { addresses } from "../addresses.ts";
import type { SettingsRow, TokenRow } from "../store/rows.ts";
import { RETENTION_DAYS_MAX, RETENTION_DAYS_MIN } from "../store/settings_row.ts";
import { Command } from "./Command.tsx";
import { Empty } from "./Empty.tsx";
import { PageTitle } from "./PageTitle.tsx";
import { Section } from "./Section.tsx";
import { TokenTable } from "./TokenTable.tsx";

/** Where the forms of the settings are sent. */
export const SETTINGS_FORMS = {
  createToken: "/settings/tokens",
  rotateToken: "/settings/tokens/rotate",
  revokeToken: "/settings/tokens/revoke",
  publicPage: "/settings/public",
  retention: "/settings/retention",
  password: "/settings/password",
  signEveryoneOut: "/settings/sign-everyone-out",
} as const;

/** What the page of the settings shows. */
export interface SettingsFacts {
  readonly tokens: readonly TokenRow[];
  readonly settings: SettingsRow;
  /** How the password is set: not at all, on this page, or by the variable of this name. */
  readonly password: "none" | "stored" | { readonly variable: string };
}

interface SettingsViewProps {
  readonly facts: SettingsFacts;
  /** What the reader's last form did, or why it did nothing. */
  readonly notice?: ComponentChildren;
  /** What was typed into a form that could not be taken. */
  readonly typed?: { readonly node?: string; readonly purpose?: string; readonly days?: string };
}

/** Renders the settings. Every form works without a script. */
export function SettingsView({ facts, notice, typed = {} }: SettingsViewProps) {
  return (
    <>
      <PageTitle>Settings</PageTitle>
      {notice}
      <NodeTokens tokens={facts.tokens.filter(({ kind }) => kind === "node")} typed={typed.node} />
      <ReadTokens tokens={facts.tokens.filter(({ kind }) => kind === "read")} typed={typed.purpose} />
      <PublicPage isPublic={facts.settings.isPublic} hasPassword={facts.password !== "none"} />
      <Retention days={typed.days ?? String(facts.settings.retentionDays)} />
      <PasswordSection password={facts.password} />
      {facts.password !== "none" && <Sessions />}
    </>
  );
}

interface TokensProps {
  readonly tokens: readonly TokenRow[];
  readonly typed: string | undefined;
}

function NodeTokens({ tokens, typed }: TokensProps) {
  return (
    <Section
      id="node-tokens"
      title="Node tokens"
      note="Each lets one machine report its runs, and nothing else."
    >
      {tokens.length === 0
        ? (
          <Empty title="No other machine can report yet">
            Runs of this machine need no token. Create one for each machine that reports over the network.
          </Empty>
        )
        : <TokenTable kind="node" tokens={tokens} />}
      <CreateToken
        kind="node"
        label="Node"
        note="The machine's report.node, or its host name. The token also covers what is below, such as bot-1/client."
        placeholder="bot-1"
        charsMax={NODE_NAME_CHARS_MAX}
        typed={typed}
      />
    </Section>
  );
}

function ReadTokens({ tokens, typed }: TokensProps) {
  return (
    <Section
      id="read-tokens"
      title="Read tokens"
      note="Each lets a program read the API, the metrics and the feed."
    >
      {tokens.length === 0
        ? <Empty title="No program can read the dashboard yet" />
        : <TokenTable kind="read" tokens={tokens} />}
      <CreateToken
        kind="read"
        label="What reads the dashboard"
        note="For you, to know the token by."
        placeholder="Prometheus"
        charsMax={PURPOSE_CHARS_MAX}
        typed={typed}
      />
    </Section>
  );
}

interface CreateTokenProps {
  readonly kind: TokenRow["kind"];
  readonly label: string;
  readonly note: string;
  readonly placeholder: string;
  readonly charsMax: number;
  readonly typed: string | undefined;
}

function CreateToken({ kind, label, note, placeholder, charsMax, typed }: CreateTokenProps) {
  return (
    <form class="form" method="post" action={SETTINGS_FORMS.createToken}>
      <input type="hidden" name="kind" value={kind} />
      <label class="field">
        <span>{label}</span>
        <input
          name="name"
          required
          maxLength={charsMax}
          placeholder={placeholder}
          value={typed ?? ""}
          autoComplete="off"
          autoCapitalize="none"
          spellcheck={false}
          aria-describedby={`${kind}-note`}
        />
      </label>
      <p id={`${kind}-note`}>{note}</p>
      <button type="submit" class="button-main">
        {kind === "node" ? "Create node token" : "Create read token"}
      </button>
    </form>
  );
}

function PublicPage(
  { isPublic, hasPassword }: { readonly isPublic: boolean; readonly hasPassword: boolean },
) {
  return (
    <Section id="public" title="Public page" note={isPublic ? "On" : "Off"}>
      <p class="prose">
        {isPublic
          ? "Everybody who can open this address sees the states of nodes and the names of releases, without hosts, " +
            "paths and errors, and can show the badges."
          : "Only people who sign in and read tokens see anything. A public page shows the states of nodes and the " +
            "names of releases to everybody, without hosts, paths and errors."}
        {!hasPassword &&
          " Without a password, only this machine can open the dashboard, and it shows everything."}
      </p>
      <form class="form" method="post" action={SETTINGS_FORMS.publicPage}>
        <input type="hidden" name="public" value={isPublic ? "off" : "on"} />
        <button type="submit">{isPublic ? "Make the page private" : "Make the page public"}</button>
      </form>
    </Section>
  );
}

function Retention({ days }: { readonly days: string }) {
  return (
    <Section id="retention" title="Retention">
      <form class="form" method="post" action={SETTINGS_FORMS.retention}>
        <label class="field">
          <span>Days that runs, incidents and releases are kept</span>
          <input
            type="number"
            name="days"
            required
            min={RETENTION_DAYS_MIN}
            max={RETENTION_DAYS_MAX}
            value={days}
            aria-describedby="retention-note"
          />
        </label>
        <p id="retention-note">
          {RETENTION_DAYS_MIN} to{" "}
          {RETENTION_DAYS_MAX}. What is older is deleted step by step, and cannot be restored.
        </p>
        <button type="submit">Save</button>
      </form>
    </Section>
  );
}

function PasswordSection({ password }: { readonly password: SettingsFacts["password"] }) {
  if (typeof password === "object") {
    return (
      <Section id="password" title="Password">
        <p class="prose">
          The variable <code>{password.variable}</code>{" "}
          sets the password. To change it, change the variable where the dashboard is started.
          {password.variable === HASH_VARIABLE && " Everybody is signed out when the hash changes."}
        </p>
      </Section>
    );
  }
  const isStored = password === "stored";
  return (
    <Section id="password" title="Password" note={isStored ? undefined : "Not set"}>
      {!isStored && (
        <p class="prose">
          Without a password, the dashboard listens on this machine alone. With one, everybody has to sign in.
        </p>
      )}
      <form class="form" method="post" action={SETTINGS_FORMS.password}>
        {isStored && (
          <PasswordField
            name="current"
            label="Current password"
            autoComplete="current-password"
          />
        )}
        <PasswordField
          name="password"
          label="New password"
          autoComplete="new-password"
          note="password-note"
        />
        <PasswordField name="again" label="New password again" autoComplete="new-password" />
        <p id="password-note">
          {PASSWORD_CHARS_MIN} to {PASSWORD_CHARS_MAX} characters.
          {isStored && " Everybody else is signed out."}
        </p>
        <button type="submit">{isStored ? "Change the password" : "Set the password"}</button>
      </form>
      {isStored && (
        <p class="prose">
          If the password is lost, set another one on the machine:{" "}
          <Command command="model-sync dashboard --set-password" />
        </p>
      )}
    </Section>
  );
}

interface PasswordFieldProps {
  readonly name: string;
  readonly label: string;
  readonly autoComplete: "current-password" | "new-password";
  readonly note?: string;
}

function PasswordField({ name, label, autoComplete, note }: PasswordFieldProps) {
  return (
    <label class="field">
      <span>{label}</span>
      <input
        type="password"
        name={name}
        required
        autoComplete={autoComplete}
        minLength={autoComplete === "new-password" ? PASSWORD_CHARS_MIN : undefined}
        maxLength={PASSWORD_CHARS_MAX}
        aria-describedby={note}
      />
    </label>
  );
}

function Sessions() {
  return (
    <Section id="sessions" title="Sessions">
      <p class="prose">
        A session lasts 30 days, or 7 without a visit. If somebody may have copied a cookie, sign everyone
        out.
      </p>
      <p>
        <a class="button" href={`${addresses.settings()}?ask=sign-everyone-out`}>Sign everyone out</a>
      </p>
    </Section>
  );
}
