/** How a provider is reached, as typed into its form: checked before the engine keeps it. */

import type { LanguageProvider, ProviderSettings } from "../../../model/language-model.ts";
import { urlProblem } from "./custom-model.ts";

export interface ProviderForm {
  baseUrl: string;
  requestsPerMinute: string;
  tokensPerMinute: string;
  concurrency: string;
  timeoutSeconds: string;
}

export type ProviderField = keyof ProviderForm;

const text = (value: number | undefined): string => (value === undefined ? "" : String(value));

export function providerForm(settings: ProviderSettings): ProviderForm {
  return {
    baseUrl: settings.baseUrl ?? "",
    requestsPerMinute: text(settings.requestsPerMinute),
    tokensPerMinute: text(settings.tokensPerMinute),
    concurrency: text(settings.concurrency),
    timeoutSeconds:
      settings.timeoutMs === undefined ? "" : String(Math.round(settings.timeoutMs / 1000)),
  };
}

type Change = Partial<ProviderSettings> & { provider: LanguageProvider };

export interface CheckedProvider {
  /** Null while there are problems. */
  change: Change | null;
  problems: Partial<Record<ProviderField, string>>;
}

const LIMITS: Record<
  Exclude<ProviderField, "baseUrl">,
  {
    key: "requestsPerMinute" | "tokensPerMinute" | "concurrency" | "timeoutMs";
    max: number;
    factor: number;
  }
> = {
  requestsPerMinute: { key: "requestsPerMinute", max: 10_000_000, factor: 1 },
  tokensPerMinute: { key: "tokensPerMinute", max: 10_000_000, factor: 1 },
  concurrency: { key: "concurrency", max: 64, factor: 1 },
  timeoutSeconds: { key: "timeoutMs", max: 3_600, factor: 1_000 },
};

/** What changed; an emptied field goes back to the provider's own default. */
export function checkProvider(settings: ProviderSettings, form: ProviderForm): CheckedProvider {
  const problems: CheckedProvider["problems"] = {};
  const before = providerForm(settings);
  const change: Record<string, unknown> = { provider: settings.provider };
  const address = form.baseUrl.trim();
  if (address !== before.baseUrl) {
    const problem = address === "" ? null : urlProblem(address, "The address");
    if (problem !== null) problems.baseUrl = problem;
    change["baseUrl"] = address === "" ? undefined : address;
  }
  for (const [field, { key, max, factor }] of Object.entries(LIMITS) as [
    keyof typeof LIMITS,
    (typeof LIMITS)[keyof typeof LIMITS],
  ][]) {
    const value = form[field].trim();
    if (value === before[field]) continue;
    const number = Number(value);
    if (value !== "" && !(Number.isInteger(number) && number >= 1 && number <= max))
      problems[field] = `A whole number from 1 to ${max.toLocaleString("en-US")} is needed.`;
    change[key] = value === "" ? undefined : number * factor;
  }
  return {
    change: Object.keys(problems).length === 0 ? (change as unknown as Change) : null,
    problems,
  };
}
