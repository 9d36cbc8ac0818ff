/** Runs `check` as on a device in that time zone ("America/Los_Angeles"). */
export function inTimeZone(zone: string, check: () => void): void {
  const before = process.env["TZ"];
  process.env["TZ"] = zone;
  try {
    check();
  } finally {
    process.env["TZ"] = before;
  }
}
