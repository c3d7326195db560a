import type { ComponentChildren } from "preact";
import { NODE_NAME_CHARS_MAX } from "../access/node_name.ts";
import { PURPOSE_CHARS_MAX } from "../access/tokens.ts";
import { addresses, SETTINGS_FORMS } from "../shared/addresses.ts";
import type { SettingsRow, TokenRow } from "../store/rows.ts";
import { RETENTION_DAYS_MAX, RETENTION_DAYS_MIN } from "../store/settings_row.ts";
import { Empty, Section } from "./Section.tsx";
import { PageTitle } from "./PageTitle.tsx";
import { type PasswordFacts, PasswordSection, SessionsSection } from "./PasswordSection.tsx";
import { TokenTable } from "./TokenTable.tsx";

/** The data of the settings page. */
export interface SettingsFacts {
  readonly tokens: readonly TokenRow[];
  readonly settings: SettingsRow;
  readonly password: PasswordFacts;
}

interface SettingsViewProps {
  readonly facts: SettingsFacts;
  /** The result of the last form. */
  readonly notice?: ComponentChildren;
  /** The entries of a form that was rejected. */
  readonly typed?: {
    readonly node?: string;
    readonly purpose?: string;
    readonly days?: string;
    readonly forgotten?: string;
  };
}

/** Renders the settings. All forms work without scripts. */
export function SettingsView({ facts, notice, typed = {} }: SettingsViewProps) {
  return (
    <>
      <PageTitle>Settings</PageTitle>
      {notice}
      <NodeTokens tokens={facts.tokens.filter(({ kind }) => kind === "node")} typed={typed.node} />
      <ReadTokens tokens={facts.tokens.filter(({ kind }) => kind === "read")} typed={typed.purpose} />
      <RemoveNode typed={typed.forgotten} />
      <PublicPage isPublic={facts.settings.isPublic} hasPassword={facts.password !== "none"} />
      <Retention days={typed.days ?? String(facts.settings.retentionDays)} />
      <PasswordSection password={facts.password} />
      {facts.password !== "none" && <SessionsSection />}
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
      note="A node token lets one machine report its runs, and nothing else."
    >
      {tokens.length === 0
        ? (
          <Empty title="No other machine can report yet">
            Runs of this machine appear without a token. Create a token for each machine that reports over the
            network.
          </Empty>
        )
        : <TokenTable kind="node" tokens={tokens} />}
      <CreateToken
        kind="node"
        label="Node"
        note="The machine's report.node, or its host name. The token also covers names below it, such as bot-1/client."
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
      note="A read token lets a program read the API, the metrics and the feed."
    >
      {tokens.length === 0
        ? <Empty title="No program can read the dashboard yet" />
        : <TokenTable kind="read" tokens={tokens} />}
      <CreateToken
        kind="read"
        label="What reads the dashboard"
        note="A name by which you recognize the token."
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

/** Renders the form that leads to the question. It changes nothing itself. */
function RemoveNode({ typed }: { readonly typed: string | undefined }) {
  return (
    <Section id="forget" title="Remove a node" note="For a machine that no longer exists.">
      <form class="form" method="get" action={addresses.settings()}>
        <input type="hidden" name="ask" value="forget" />
        <label class="field">
          <span>Node to remove</span>
          <input
            name="node"
            required
            placeholder="bot-1/client"
            value={typed ?? ""}
            autoComplete="off"
            autoCapitalize="none"
            spellcheck={false}
            aria-describedby="forget-note"
          />
        </label>
        <p id="forget-note">
          The name as shown in the fleet. The node's runs and incidents are deleted with it.
        </p>
        <button type="submit">Remove the node …</button>
      </form>
    </Section>
  );
}

function PublicPage(
  { isPublic, hasPassword }: { readonly isPublic: boolean; readonly hasPassword: boolean },
) {
  return (
    <Section id="public" title="Public page" note={isPublic ? "On" : "Off"}>
      <p class="prose">
        {!hasPassword &&
          "Without a password, only this machine can open the dashboard, and it shows everything. Once a password is set: "}
        {isPublic
          ? "Anyone who can open this address sees the states of nodes and the names of releases, but no hosts, paths " +
            "or errors. The badges work for everyone."
          : "Only people who sign in and programs with a read token can read the dashboard. A public page shows the " +
            "states of nodes and the names of releases to everyone, but no hosts, paths or errors."}
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
          <span>Days to keep runs, incidents and releases</span>
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
          {RETENTION_DAYS_MIN} to {RETENTION_DAYS_MAX}{" "}
          days. Older entries are deleted in steps and cannot be restored.
        </p>
        <button type="submit">Save</button>
      </form>
    </Section>
  );
}
