/**
 * The variables that hold a path and have no setting. Git runs in the clone, whatever the working directory, so its own
 * variables are not among them.
 */
export const PATH_VARIABLES: readonly string[] = [
  "DENO_CERT",
  "SSL_CERT_FILE",
  "REQUESTS_CA_BUNDLE",
  "CURL_CA_BUNDLE",
  "HF_TOKEN_PATH",
  "HF_HOME",
  "HF_HUB_CACHE",
  "HUGGINGFACE_HUB_CACHE",
  "XDG_CACHE_HOME",
  "GITHUB_APP_PRIVATE_KEY_PATH",
];
