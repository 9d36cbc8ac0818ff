/** Takes keys out of everything that may be shown: providers repeat them in their error texts. */

const MASK = "[key]";

/** Shapes of the keys that providers give out, whole or half masked by the provider itself. */
const KEY_SHAPES =
  /\b(?:sk-|sk_|pk-|AIza|gsk_|xai-|hf_|Bearer\s+)[\w*.-]{6,}|(?<=\bkey=)[^&\s"']{6,}/g;

/** The text without any of the secrets and without anything that has the shape of a key. */
export function redact(text: string, secrets: readonly (string | null)[] = []): string {
  let redacted = text;
  for (const secret of secrets)
    if (secret && secret.length >= 4) redacted = redacted.replaceAll(secret, MASK);
  return redacted.replace(KEY_SHAPES, MASK);
}
