/** An episode as it is drawn and dated. Pure. */

import type { EpisodeView } from "../../../model/episode.ts";
import { formatDate } from "./format.ts";
import type { StrataLayer } from "./strata.ts";

export function episodeLayers(
  episode: Pick<EpisodeView, "gistBytes" | "originalBytes">,
): StrataLayer[] {
  return [
    {
      tone: "gist",
      name: "Gist",
      bytes: episode.gistBytes,
      how: "Bytes of the gist and its entities as they are stored.",
    },
    {
      tone: "original",
      name: "Originals",
      bytes: episode.originalBytes,
      how: "Sum of the members' bytes as they were given.",
    },
  ];
}

/** "12 May 2024", or "12 May 2024 – 3 Jun 2024". */
export function episodeSpan(episode: Pick<EpisodeView, "startsAt" | "endsAt">): string {
  const first = formatDate(episode.startsAt);
  const last = formatDate(episode.endsAt);
  return first === last ? first : `${first} – ${last}`;
}
