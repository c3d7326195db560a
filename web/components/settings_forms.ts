/** Where the forms of the settings are sent. */
export const SETTINGS_FORMS = {
  createToken: "/settings/tokens",
  rotateToken: "/settings/tokens/rotate",
  revokeToken: "/settings/tokens/revoke",
  forgetNode: "/settings/forget-node",
  publicPage: "/settings/public",
  retention: "/settings/retention",
  password: "/settings/password",
  signEveryoneOut: "/settings/sign-everyone-out",
} as const;
