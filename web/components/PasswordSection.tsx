import { PASSWORD_CHARS_MAX, PASSWORD_CHARS_MIN } from "../access/password_hash.ts";
import { HASH_VARIABLE } from "../access/password_source.ts";
import { addresses, SETTINGS_FORMS } from "../shared/addresses.ts";
import { Command, Section } from "./Section.tsx";

/** How the password is set: not at all, on the settings page, or by a variable. */
export type PasswordFacts = "none" | "stored" | { readonly variable: string };

/** Renders how the password is set, and the form to change it. */
export function PasswordSection({ password }: { readonly password: PasswordFacts }) {
  if (typeof password === "object") {
    return (
      <Section id="password" title="Password">
        <p class="prose">
          The variable <code>{password.variable}</code>{" "}
          sets the password. To change the password, change this variable and restart the dashboard.
          {password.variable === HASH_VARIABLE && " A new hash signs everyone out."}
        </p>
      </Section>
    );
  }
  const isStored = password === "stored";
  return (
    <Section id="password" title="Password" note={isStored ? undefined : "Not set"}>
      {!isStored && (
        <p class="prose">
          Without a password, the dashboard listens only on this machine. With a password, everyone must sign
          in.
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
          {isStored && " Everyone else is signed out."}
        </p>
        <button type="submit">{isStored ? "Change the password" : "Set the password"}</button>
      </form>
      {isStored && (
        <p class="prose">
          If you lose the password, set a new one on the machine:{" "}
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

/** Renders when sessions end, and the button that ends all. */
export function SessionsSection() {
  return (
    <Section id="sessions" title="Sessions">
      <p class="prose">
        A session ends after 30 days, or after 7 days without a visit. If a session cookie may have leaked,
        sign everyone out.
      </p>
      <p>
        <a class="button" href={`${addresses.settings()}?ask=sign-everyone-out`}>Sign everyone out</a>
      </p>
    </Section>
  );
}
