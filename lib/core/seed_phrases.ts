/**
 * Log phrases of the tools that model-sync replaces. Their users search logs for them, so each stays unchanged, byte for
 * byte. If a phrase alone would mislead, its caller logs the fact beside it.
 */

/**
 * From the trading bot's `CloudModelSynchronizationService` ("Common Issues", 4). Logged when a pull of artifacts is
 * skipped because the previous one started less than `artifacts.min_interval_minutes` ago. GitHub's rate limit is not
 * the reason.
 */
export const RATE_LIMITING = "Rate limiting - skipping sync";

/**
 * From the trading bot's `CloudModelSynchronizationService` ("Common Issues", 3). Logged when a consumer did not load a
 * new release. The release was active until then: the next line says why it failed and which release is active again.
 */
export const HOT_SWAP_FAILED = "Model hot-swap failed - keeping current model";

/**
 * From the reference sync's `sync_github_references.py --watch` ("Watch Mode Output"): its banner, and the texts of its
 * lines.
 */
export const WATCH_PHRASES = {
  doubleRule: "=".repeat(80),
  rule: "-".repeat(80),
  title: "GitHub Model Reference Sync Service - WATCH MODE",
  primary: (url: string) => `Monitoring PRIMARY API: ${url}`,
  interval: (seconds: number) => `Polling interval: ${seconds} seconds`,
  delay: (seconds: number) => `Initial delay: ${seconds} seconds`,
  startupSync: (isEnabled: boolean) => `Startup sync: ${isEnabled ? "enabled" : "disabled"}`,
  started: "Starting watch loop. Press Ctrl+C to stop.",
  initialized: (timestamp: number) => `Initialized last known timestamp: ${timestamp}`,
  unchanged: (timestamp: number) => `No changes detected (timestamp: ${timestamp})`,
  changed: (from: number | "none", to: number) => `Changes detected! Timestamp changed from ${from} to ${to}`,
  triggered: "Triggering sync operation due to detected changes...",
  completed: "Sync completed successfully",
  resumed: "Resuming watch loop...",
} as const;
